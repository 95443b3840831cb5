"""Takes orders: each change of an order and the event that tells it are one transaction.

usage: orders.py place --item TEXT [--quantity N] | ship NUMBER --carrier TEXT | cancel NUMBER --reason TEXT

SHOP_DATABASE_URL says where the database is. With TRACEPARENT in the environment the event carries it.
"""
import argparse
import json
import os
import sys

import psycopg

TOPIC = "shop.orders"


class OrderRefused(Exception):
    """The order does not exist or is in a state that forbids the change."""


def place(connection, item, quantity=1):
    """Returns the order's number."""
    with connection.transaction():
        order_no, version = connection.execute(
            "INSERT INTO shop.orders (item, quantity) VALUES (%s, %s) RETURNING order_no, version", (item, quantity)).fetchone()
        _append(connection, order_no, version, "order.placed", {"item": item, "quantity": quantity})
    return order_no


def ship(connection, order_no, carrier):
    with connection.transaction():
        version = _change(connection, order_no, "shipped")
        _append(connection, order_no, version, "order.shipped", {"carrier": carrier})


def cancel(connection, order_no, reason):
    with connection.transaction():
        version = _change(connection, order_no, "cancelled")
        _append(connection, order_no, version, "order.cancelled", {"reason": reason})


def _change(connection, order_no, state):
    """Changes the order and with that takes its lock, which is held until the transaction ends."""
    row = connection.execute(
        "UPDATE shop.orders SET state = %s, version = version + 1 WHERE order_no = %s AND state = 'placed' RETURNING version",
        (state, order_no)).fetchone()
    if row is None:
        raise OrderRefused(f"order {order_no} is not there, shipped or cancelled")
    return row[0]


def _append(connection, order_no, version, kind, body):
    """The last statement of its transaction: the id it draws comes after the order's lock, and no later."""
    attributes = {"traceparent": os.environ["TRACEPARENT"]} if "TRACEPARENT" in os.environ else {}
    connection.execute(
        "INSERT INTO shop.messages (stream, order_no, version, kind, body, attributes) VALUES (%s, %s, %s, %s, %s, %s)",
        (TOPIC, order_no, version, kind, json.dumps({"order_no": order_no, **body}, ensure_ascii=False), json.dumps(attributes)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    placing = commands.add_parser("place")
    placing.add_argument("--item", required=True)
    placing.add_argument("--quantity", type=int, default=1)
    shipping = commands.add_parser("ship")
    shipping.add_argument("order_no", type=int)
    shipping.add_argument("--carrier", required=True)
    cancelling = commands.add_parser("cancel")
    cancelling.add_argument("order_no", type=int)
    cancelling.add_argument("--reason", required=True)
    arguments = parser.parse_args()

    with psycopg.connect(os.environ["SHOP_DATABASE_URL"], autocommit=True) as connection:
        try:
            if arguments.command == "place":
                print(place(connection, arguments.item, arguments.quantity))
            elif arguments.command == "ship":
                ship(connection, arguments.order_no, arguments.carrier)
            else:
                cancel(connection, arguments.order_no, arguments.reason)
        except (OrderRefused, psycopg.IntegrityError) as refusal:
            sys.exit(f"refused: {refusal}")


if __name__ == "__main__":
    main()
