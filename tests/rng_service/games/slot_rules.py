"""An evaluator of slots that shares nothing with the product: it reads the JSON of a definition and plays it.

Every rule is written as docs/games.md says it, one combination at a time, without any cleverness.
"""

from fractions import Fraction
from itertools import product


def outcomes(program):
    """Yield every outcome with its probability."""
    step = program["steps"][0]
    weights = step.get("weights") or [[1] * len(strip) for strip in step["strips"]]
    totals = Fraction(1)
    for weighed in weights:
        totals *= sum(weighed)
    for stops in product(*(range(len(strip)) for strip in step["strips"])):
        chance = Fraction(1)
        for weighed, stop in zip(weights, stops, strict=True):
            chance *= weighed[stop]
        yield stops, chance / totals


def played(program, stops):
    """Return (multiplier, {program: draws}) of one outcome."""
    rules = program["settlement"]
    drawn = window(program, stops)
    shown = expanded(rules, drawn)
    cost = rules.get("cost", len(rules.get("lines", [])))
    total = Fraction(0)
    awards = {}
    if rules["model"] == "lines":
        for line in rules["lines"]:
            prize, won = line_result(rules, [column[row] for column, row in zip(shown, line, strict=True)])
            total += prize / cost
            for name, draws in won.items():
                awards[name] = awards.get(name, 0) + draws
    elif rules["model"] == "ways":
        total += ways_result(rules, shown) / cost
    else:
        total += anywhere_result(rules, shown)
    for symbol, table in scatter_tables(rules).items():
        total += at_count(table, count(drawn, symbol), Fraction(0))
    for name, by_symbol in rules.get("awards", {}).items():
        for symbol, table in by_symbol.items():
            awards[name] = awards.get(name, 0) + int(at_count(table, count(drawn, symbol), 0))
    total *= Fraction(rules.get("multiplier", 1))
    return total, {name: draws for name, draws in awards.items() if draws}


def window(program, stops):
    rows = program["settlement"]["rows"]
    strips = program["steps"][0]["strips"]
    rows = rows if isinstance(rows, list) else [rows] * len(strips)
    return [
        [strip[(stop + row) % len(strip)] for row in range(shown)]
        for strip, stop, shown in zip(strips, stops, rows, strict=True)
    ]


def expanded(rules, drawn):
    found = []
    for column in drawn:
        covering = [name for name, wild in rules.get("wilds", {}).items() if wild.get("expands") and name in column]
        found.append([covering[0]] * len(column) if covering else column)
    return found


def count(drawn, symbol):
    return sum(column.count(symbol) for column in drawn)


def scatter_tables(rules):
    return {rules["scatter"]: rules["scatter_pays"]} if "scatter" in rules else rules.get("scatters", {})


def at_count(table, number, missing):
    for key, value in table.items():
        low, _, high = key.partition("-")
        if key.endswith("+") and number >= int(key[:-1]):
            return Fraction(value)
        if not key.endswith("+") and int(low) <= number <= int(high or low):
            return Fraction(value)
    return missing


def members(rules, name):
    return rules.get("groups", {}).get(name, [name])


def wild_stands_for(rules, wild):
    """Return the symbols that a wild stands for."""
    paying = [symbol for name in rules["pays"] for symbol in members(rules, name)]
    if "wild" in rules:
        return [symbol for symbol in paying if symbol != wild]
    options = rules["wilds"][wild]
    if "for" in options:
        return options["for"]
    return [symbol for symbol in paying if symbol not in rules["wilds"] and symbol not in options.get("except", [])]


def wilds(rules):
    return [rules["wild"]] if "wild" in rules else list(rules.get("wilds", {}))


def counts_for(rules, symbol, name):
    own = members(rules, name)
    return symbol in own or (symbol in wilds(rules) and any(item in own for item in wild_stands_for(rules, symbol)))


def factor(rules, part, name):
    """Return what the wilds in this part of a line multiply the prize of ``name`` by."""
    own = members(rules, name)
    found = [rules["wilds"][symbol].get("multiplier", 1) for symbol in part if "wilds" in rules and symbol not in own]
    found = [multiplier for multiplier in found if multiplier > 1]
    if not found:
        return 1
    combination = rules.get("wild_multipliers", "product")
    if combination == "sum":
        return sum(found)
    if combination == "highest":
        return max(found)
    result = 1
    for multiplier in found:
        result *= multiplier
    return result


def run_of(rules, symbols, name):
    length = 0
    while length < len(symbols) and counts_for(rules, symbols[length], name):
        length += 1
    return length


def counts_alone(rules, part, name):
    return rules.get("wilds_alone", True) or any(symbol in members(rules, name) for symbol in part)


def stretches(rules, symbols, name):
    """Return the runs of ``name``: from the first reel, or all of them where they may begin on any."""
    if rules.get("direction") != "any":
        return [symbols[: run_of(rules, symbols, name)]]
    found = [[]]
    for symbol in symbols:
        if counts_for(rules, symbol, name):
            found[-1].append(symbol)
        else:
            found.append([])
    return found


def one_way(rules, symbols, *, whole):
    best = Fraction(0)
    awards = {}
    for name, table in rules["pays"].items():
        for run in stretches(rules, symbols, name):
            if len(run) == len(symbols) and not whole:
                continue
            for length, pays in table.items():
                part = run[: int(length)]
                if int(length) <= len(run) and counts_alone(rules, part, name):
                    best = max(best, Fraction(pays) * factor(rules, part, name))
    for name, table in rules.get("number_pays", {}).items() if whole else ():
        for least, pays in table.items():
            if symbols.count(name) >= int(least):
                best = max(best, Fraction(pays))
    for program, by_symbol in rules.get("line_awards", {}).items():
        for name, table in by_symbol.items():
            for run in stretches(rules, symbols, name):
                if (len(run) < len(symbols) or whole) and counts_alone(rules, run, name):
                    awards[program] = awards.get(program, 0) + int(at_count(table, len(run), 0))
    return best, awards


def line_result(rules, symbols):
    direction = rules.get("direction", "left")
    if direction == "right":
        return one_way(rules, symbols[::-1], whole=True)
    prize, awards = one_way(rules, symbols, whole=True)
    if direction in {"both", "either"}:
        more, others = one_way(rules, symbols[::-1], whole=False)
        prize = prize + more if direction == "both" else max(prize, more)
        for name, draws in others.items():
            awards[name] = awards.get(name, 0) + draws
    return prize, awards


def anywhere_result(rules, shown):
    cells = [symbol for column in shown for symbol in column]
    return sum(
        at_count(table, sum(counts_for(rules, symbol, name) for symbol in cells), Fraction(0))
        for name, table in rules["pays"].items()
    )


def ways_result(rules, shown):
    columns = shown[::-1] if rules.get("direction") == "right" else shown
    total = Fraction(0)
    for name, table in rules["pays"].items():
        run = 0
        while run < len(columns) and any(counts_for(rules, symbol, name) for symbol in columns[run]):
            run += 1
        lengths = [int(length) for length in table if int(length) <= run]
        if not lengths:
            continue
        # Every single way, one cell of each reel.
        for cells in product(*columns[: max(lengths)]):
            if all(counts_for(rules, symbol, name) for symbol in cells):
                multiplied = 1
                for symbol in cells:
                    if symbol != name and "wilds" in rules:
                        multiplied *= rules["wilds"][symbol].get("multiplier", 1)
                total += Fraction(table[str(max(lengths))]) * multiplied
    return total
