# Each target is a script of the same name; the scripts say what they do and set up what they miss.
.PHONY: test lint header install

test lint header install:
	@scripts/$@
