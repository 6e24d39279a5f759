"""The baseline: a stock grpcio server with worker threads that answers an unary call with bytes it has ready."""

import sys
from concurrent import futures

import grpc


def main() -> None:
    port, threads, size = (int(text) for text in sys.argv[1:4])
    response = b"x" * size
    server = grpc.server(futures.ThreadPoolExecutor(threads), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: response)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Empty", {"Call": handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
