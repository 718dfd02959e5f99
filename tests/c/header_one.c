/* The header beside <regex.h>, whose macros begin with RE_, too: the library's first. And twice. */
#define _GNU_SOURCE
#include <mapagent.h>
#include <regex.h>
#include <mapagent.h>

int one(void)
{
    return RE_SUCCESS + RE_NO_EMPTY + (RE_ICASE != 0 ? 0 : 100);
}
