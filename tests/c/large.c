/* large DNS PORT: a content of 100 MiB, in lines of 64 octets that begin with a dot. */
#include "check.h"

int main(int argc, char **argv)
{
    static const char line[] = ".23456789.23456789.23456789.23456789.23456789.23456789.23456789\n";
    const size_t length = (size_t)100 * 1024 * 1024;
    char *content = malloc(length + 1);
    size_t at;

    CHECK(sizeof line - 1 == 64);
    CHECK(content != NULL);
    for (at = 0; at < length; at += 64)
        memcpy(content + at, line, 64);
    content[length] = '\0';

    use_sandbox(argc, argv);
    CHECK(map_send("alice@sender.example", "bob@taken.example", "large", content) == RE_SUCCESS);
    free(content);
    return 0;
}
