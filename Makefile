# Each target is a script of the same name; the scripts say what they do and set up what they miss.
.PHONY: demo test lint header install compare sanitize bench

demo test lint header install compare sanitize:
	@scripts/$@

bench:
	@scripts/bench-memory
