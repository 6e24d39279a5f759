"""The auditor: checks receipts, logs, pools and exports from static files alone, and trusts nothing in them."""

from rng_service.verify.export import verify_export
from rng_service.verify.fault import Fault
from rng_service.verify.log import verify_log
from rng_service.verify.pool import verify_pool
from rng_service.verify.proof import verify_proof_file
from rng_service.verify.receipt import WitnessPolicy, verify_receipt
from rng_service.verify.report import NOT_PROVEN, ExportReport, LogReport, PoolReport, ProofReport, ReceiptReport

__all__ = [
    "NOT_PROVEN",
    "ExportReport",
    "Fault",
    "LogReport",
    "PoolReport",
    "ProofReport",
    "ReceiptReport",
    "WitnessPolicy",
    "verify_export",
    "verify_log",
    "verify_pool",
    "verify_proof_file",
    "verify_receipt",
]
