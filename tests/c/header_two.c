/* The same in the other order, in another file of the same program. */
#define _GNU_SOURCE
#include <regex.h>
#include <mapagent.h>
#include "check.h"

int one(void);

int main(void)
{
    char number[32];
    enum map_reply tagged = RE_MISUSE;
    map_reply reply = tagged;
    regex_t expression;

    CHECK(one() == 1);
    CHECK(reply == 67);
    CHECK(regcomp(&expression, "^RE_[A-Z_]+$", REG_EXTENDED) == 0);
    CHECK(regexec(&expression, map_reply_name(RE_SUCCESS), 0, NULL, 0) == 0);
    regfree(&expression);

    CHECK_TEXT(map_version(), MAPAGENT_VERSION);
    CHECK(map_version_number() == MAPAGENT_VERSION_NUMBER);
    sprintf(number, "%d.%d.%d", MAPAGENT_VERSION_MAJOR, MAPAGENT_VERSION_MINOR, MAPAGENT_VERSION_PATCH);
    CHECK_TEXT(map_version(), number);
    CHECK(sizeof(map_reply) == 4 && sizeof(map_answer) == 4 && sizeof(map_stage) == 4);
    return 0;
}
