# Each target is a script of the same name; the scripts say what they do and set up what they miss.
.PHONY: test lint header

test lint:
	@scripts/$@

header:
	MAPAGENT_WRITE_HEADER=1 cargo test --quiet -p map-ffi --test header
