// The C++ header in a second file of the same program: everything in it must be inline.
#include <mapagent.hpp>
#include <regex.h>

int one()
{
    return RE_SUCCESS + RE_NO_EMPTY;
}
