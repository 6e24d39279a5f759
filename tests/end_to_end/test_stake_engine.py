"""A math package on a real service: imported, registered, drawn from; its books proven from the public files alone."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from load import METADATA
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, operator_pb2, types_pb2
from system import System, wait_for

from anchor.errors import VerificationError
from anchor.source import DirectorySource
from rng_service.books import Book, parse_book_file
from rng_service.cli.main import run
from rng_service.client import Client, Wager
from rng_service.game_file_store import GameFileStore
from rng_service.games.files import file_digest
from rng_service.request_id import new_request_id
from rng_service.stake_engine.package import read_package
from rng_service.verify.receipt import verify_receipt

NODE = shutil.which("node")
VERIFIER = Path(__file__).resolve().parents[1] / "interop" / "js" / "verify_receipt.mjs"
PACKAGE = Path(__file__).resolve().parents[1] / "vectors" / "stake_engine"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system():
    """A node with the game ``rage`` registered from the package, by the command that operators use."""
    with System() as node:
        node.start()
        sealdraw("game", "import-stake-engine", PACKAGE, "--game", "rage", "--register", "--server", node.target)
        wait_for(node._has_pools, "pools to be ready")
        yield node


def sealdraw(*arguments, status=0):
    class Errors:
        text = ""

        def write(self, text):
            self.text += text

    errors = Errors()
    assert run([str(argument) for argument in arguments], errors=errors) == status, errors.text
    return errors.text


@pytest.fixture
def client(system, tmp_path):
    with Client(
        system.target,
        caller=METADATA[0][1],
        journal=tmp_path / "journal",
        development=True,
        public=str(system.config.public_dir),
        vkey=system.vkey,
        verify="inline",
    ) as made:
        yield made


def definition():
    return read_package(PACKAGE).definition("rage", 1, "rage")


def drawn(system, client):
    """A single draw, once its digest is public."""
    receipt = client.draw("rage", "rage-mode", wager=Wager(250, "EUR", '"spin"'))
    client.check()
    wait_for(lambda: not verified(system, receipt.to_bytes()).pending, "the digest of the draw")
    return receipt


def verified(system, data, **options):
    return verify_receipt(data, DirectorySource(system.config.public_dir), system.vkey, **options)


def test_a_draw_comes_with_the_book_of_its_row_and_both_are_proven_from_public_files(system, client, tmp_path):
    receipt = drawn(system, client)
    row = receipt.outcomes[0][0]
    rows = (PACKAGE / "lookUpTable_rage_mode_0.csv").read_text().split()
    number, _, payout = map(int, rows[row].split(","))
    book = json.loads(receipt.book.data)
    assert (book["id"], book["payoutMultiplier"]) == (number, payout)
    # 250 staked are 20 base bets of 12.5; the payout is hundredths of the base bet.
    assert receipt.payouts_minor == (250 * payout * 2 // 2500,)
    receipt.save(tmp_path / "receipt.json")
    receipt.save_book(tmp_path / "spin.book")
    assert parse_book_file((tmp_path / "spin.book").read_bytes()) == receipt.book
    verify = ["verify", "receipt", tmp_path / "receipt.json", "--log", system.config.public_dir, "--key", system.vkey]
    sealdraw(*verify, "--book", tmp_path / "spin.book")
    assert verified(system, receipt.to_bytes(), book=receipt.book).book


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_verifier_in_javascript_agrees(system, client, tmp_path):
    receipt = drawn(system, client)
    receipt.save(tmp_path / "receipt.json")
    command = [NODE, VERIFIER, tmp_path / "receipt.json", "--log", system.config.public_dir, "--key", system.vkey]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["verified"]) == (0, True), done.stderr


def test_a_forged_book_is_refused(system, client, tmp_path):
    receipt = drawn(system, client)
    other = client.draw("rage", "base", wager=Wager(100, "EUR", '"spin"'))
    forged = Book(receipt.book.data.replace(b'"payoutMultiplier": ', b'"payoutMultiplier": 9'), receipt.book.path)
    for book in (forged, replace(receipt.book, path=receipt.book.path[:-1]), other.book):
        with pytest.raises(VerificationError) as caught:
            verified(system, receipt.to_bytes(), book=book)
        assert caught.value.reason == "book"
    receipt.save(tmp_path / "receipt.json")
    replace(receipt, book=forged).save_book(tmp_path / "spin.book")
    verify = ["verify", "receipt", tmp_path / "receipt.json", "--log", system.config.public_dir, "--key", system.vkey]
    assert "FOUND WRONG: book" in sealdraw(*verify, "--book", tmp_path / "spin.book", status=1)


def test_each_outcome_of_a_batch_has_its_book_for_its_owner_alone(system, client):
    (receipt,) = client.batch_draw("rage", "base", 5)
    assert receipt.book is None
    ids = [int(row.split(",")[0]) for row in (PACKAGE / "lookUpTable_base_0.csv").read_text().split()]
    for item, (row,) in enumerate(receipt.outcomes):
        assert json.loads(client.get_book(receipt, item).data)["id"] == ids[row]
    with system.channel() as channel:
        stub = draw_pb2_grpc.DrawServiceStub(channel)
        for request, metadata in (
            (draw_pb2.GetBookRequest(draw_request_id=receipt.request_id, item=5), METADATA),
            (draw_pb2.GetBookRequest(draw_request_id=new_request_id()), METADATA),
            (draw_pb2.GetBookRequest(draw_request_id=receipt.request_id), (("sealdraw-caller", "another"),)),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetBook(request, timeout=20, metadata=metadata)
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_repeat_and_a_look_back_give_the_same_bytes_with_the_book(system):
    request = draw_pb2.DrawRequest(
        request_id=new_request_id(), game="rage", program="base", play_class=types_pb2.PLAY_CLASS_REAL
    )
    with system.channel() as channel:
        stub = draw_pb2_grpc.DrawServiceStub(channel)
        first, again = (stub.Draw(request, timeout=20, metadata=METADATA).receipt for _ in range(2))
        looked = stub.GetReceipt(
            draw_pb2.GetReceiptRequest(request_id=request.request_id), timeout=20, metadata=METADATA
        ).receipts[0]
    assert first.book.data
    assert first.SerializeToString() == again.SerializeToString() == looked.SerializeToString()


def test_the_weights_are_public_and_the_books_are_not(system):
    published = sorted(path.name for path in (system.config.public_dir / "games" / "files").iterdir())
    weights = {program.model.table.digest.hex() for program in definition().programs.values()}
    assert published == sorted(f"{digest}.csv" for digest in weights)
    every = b"".join(path.read_bytes() for path in system.config.public_dir.rglob("*") if path.is_file())
    assert b"finalWin" not in every


def test_an_auditor_without_the_weights_is_told_which_file_is_missing(system, client, tmp_path):
    receipt = drawn(system, client)
    copy = tmp_path / "public"
    shutil.copytree(system.config.public_dir, copy)
    digest = definition().program("rage-mode").model.table.digest.hex()
    file = copy / "games" / "files" / f"{digest}.csv"
    text = file.read_bytes()
    file.unlink()
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt.to_bytes(), DirectorySource(copy), system.vkey)
    assert caught.value.reason == "file-missing"
    assert f"games/files/{digest}.csv" in str(caught.value)
    file.write_bytes(text.replace(b",", b",1", 1))
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt.to_bytes(), DirectorySource(copy), system.vkey)
    assert caught.value.reason == "game-file"


def messages(kind, digest, data, weights=b""):
    yield operator_pb2.UploadGameFileRequest(
        file=operator_pb2.GameFile(kind=kind, digest=digest, weights_digest=weights)
    )
    yield operator_pb2.UploadGameFileRequest(chunk=data)


def upload(system, *arguments):
    return system.operate(lambda stub: stub.UploadGameFile(messages(*arguments), timeout=60, metadata=METADATA))


def test_uploads_are_repeatable_and_what_does_not_hold_is_refused_and_leaves_nothing(system):
    directory = system.config.game_files_dir
    before = sorted(directory.iterdir())
    data = (PACKAGE / "lookUpTable_base_0.csv").read_bytes()
    digest = file_digest(PACKAGE / "lookUpTable_base_0.csv")
    other = file_digest(PACKAGE / "lookUpTable_rage_mode_0.csv")
    books = file_digest(PACKAGE / "books_base.jsonl.zst")
    weights_kind, books_kind = operator_pb2.GAME_FILE_KIND_WEIGHTS, operator_pb2.GAME_FILE_KIND_BOOKS
    assert upload(system, weights_kind, digest, data).known
    assert upload(system, books_kind, books, b"", digest).known
    for arguments, words in (
        ((weights_kind, bytes(32), data), "announced was 0000"),
        ((weights_kind, b"short", data), "file.digest"),
        ((0, digest, data), "file.kind"),
        ((books_kind, books, b""), "file.weights_digest"),
        ((books_kind, books, b"", bytes(32)), "are uploaded before their books"),
        (
            (books_kind, books, (PACKAGE / "books_base.jsonl.zst").read_bytes(), other),
            "line 1: payoutMultiplier 50, but weights",
        ),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            upload(system, *arguments)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert words in caught.value.details()
    assert sorted(directory.iterdir()) == before


def test_a_game_whose_files_are_not_there_or_say_otherwise_is_not_registered(system):
    wrong = json.loads(definition().canonical)
    wrong["version"] = 2
    for change, words in (
        (lambda base: base["settlement"]["books"].update(root="00" * 32), "the definition says 0000"),
        (lambda base: base["settlement"]["books"].update(size=199), "there are as many books"),
        (lambda base: base["settlement"]["books"].update(file="00" * 32), "cannot be read"),
        (lambda base: base["steps"][0].update(file="00" * 32), "cannot be read"),
        (lambda base: base["steps"][0].update(rows=3), "the file has 200 rows, not 3"),
        (lambda base: base["steps"][0].update(total="5"), "the file's weights sum to"),
    ):
        bent = json.loads(json.dumps(wrong))
        change(bent["programs"]["base"])
        request = operator_pb2.RegisterGameRequest(request_id=new_request_id(), definition=json.dumps(bent).encode())
        with pytest.raises(grpc.RpcError) as caught:
            system.operate(lambda stub, request=request: stub.RegisterGame(request, timeout=30, metadata=METADATA))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert words in caught.value.details()


def test_everything_holds_when_the_service_is_stopped(system, client, tmp_path):
    for _ in range(20):
        client.draw("rage", "base", wager=Wager(100, "EUR", '"spin"'))
    client.check()
    client.close()
    system.settle_down()
    report = system.check()
    assert report.records["draw"] >= 20
    # What the auditor reads, from a copy of the public directory and nothing else.
    copy = tmp_path / "public"
    shutil.copytree(system.config.public_dir, copy)
    (tmp_path / "key").write_text(system.vkey)
    sealdraw("verify", "log", copy, "--key", tmp_path / "key")
    # A public directory that was lost is made again, the weights from the operator's own copy.
    store = GameFileStore(system.config.game_files_dir)
    shutil.rmtree(copy / "games")
    store.publish(definition().canonical, copy)
    assert len(list((copy / "games" / "files").iterdir())) == 2
