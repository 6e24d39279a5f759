// A refusal names the step of PROTOCOL.md section 8 that failed and a slug for the reason.
export class Refusal extends Error {
  constructor(step, reason, message) {
    super(message);
    this.step = step;
    this.reason = reason;
  }
}

export function require(condition, step, reason, message) {
  if (!condition) throw new Refusal(step, reason, message);
}
