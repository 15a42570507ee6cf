"""moto's server, one request at a time.

moto checks a condition in one step and writes in another. Between the two its threads take turns, so that about one
race in a hundred has two winners.
"""

import sys
import threading

import moto.server
from werkzeug.serving import run_simple


def run_one_at_a_time(host, port, application, **options):
    turn = threading.Lock()

    def serialized(environ, start_response):
        with turn:
            return list(application(environ, start_response))

    run_simple(host, port, serialized, **options)


moto.server.run_simple = run_one_at_a_time
moto.server.main(sys.argv[1:])
