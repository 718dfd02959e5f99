/* Statements that are a program's own. */
#include <mapagent.h>
#include <stdio.h>

int main(void)
{
    SNIPPET
    return 0;
}
