# Tests in a world that refuses somebody.
WORLD = """
domain example.com
  mx 10 mx.example.com
host mx.example.com 127.0.0.2
  on rcpt nobody@example.com reply 550 5.1.1 No such user
"""

SNIPPET
