# A program that knows a secret.
secret = "s3cret"

SNIPPET
