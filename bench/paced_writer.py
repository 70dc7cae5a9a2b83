"""Writes W7's transactions at a fixed pace. A program of its own, so that nothing delays it.

One line on standard output for each transaction: its number, how late it was sent and the moment
when its COMMIT had returned (seconds, the latter since 1970).
"""

import argparse
import sys
import threading
import time

import psycopg2

# Several sessions take turns: one alone would fall behind whenever a flush takes over 2 ms.
SESSIONS = 4
# A prime, so that neighbours in time are no neighbours in the table and no key comes twice.
STRIDE = 7919


def key_of(tick, keys):
    return 1 + tick * STRIDE % keys


def _session(options, number, lines):
    connection = psycopg2.connect(options.dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("PREPARE change AS UPDATE operations.orders SET status = 'COMPLETED',"
                       " updated_by = $1, updated_at = clock_timestamp() WHERE order_id = $2")
        for tick in range(options.first + number, options.first + options.ticks, SESSIONS):
            due = options.start + (tick - options.first) / options.per_second
            pause = due - time.time()
            if pause > 0:
                time.sleep(pause)
            # Late transactions are sent at once: a slow moment must not thin out the load.
            late = time.time() - due
            # Outside a transaction block, so it commits before it answers.
            cursor.execute(f"EXECUTE change({tick}, {key_of(tick, options.keys)})")
            lines.append(f"{tick} {late:.6f} {time.time():.6f}")
    connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--per-second", type=int, required=True)
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--start", type=float, required=True, help="time.time() of the first")
    options = parser.parse_args()
    # A thread asks for the interpreter every 5 ms by default, which would be late.
    sys.setswitchinterval(0.0001)
    lines = [[] for _ in range(SESSIONS)]
    threads = [threading.Thread(target=_session, args=(options, n, lines[n]))
               for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n".join(line for part in lines for line in part))
    return 0 if sum(map(len, lines)) == options.ticks else 1


if __name__ == "__main__":
    sys.exit(main())
