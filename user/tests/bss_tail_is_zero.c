/*
 * bss_tail_is_zero.c - the file's last page of data ends in zeros, not in what
 * the file holds there.
 *
 * The ELF file goes on behind the data segment with symbols and section names;
 * the loader must wipe what came in with the last page.
 */
#include "test.h"

extern char edata[], end[];

char first_data[5000] = "data";
char small_bss[64];
char big_bss[20000];

int
main(void)
{
    char *tail_end = (char *)(((uintptr_t)edata + PAGE - 1) & ~(PAGE - 1));
    char *last_end = (char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1));

    CHECK("initialised data came from the file", strcmp(first_data, "data") == 0);
    CHECK("the rest of it too", all_bytes(first_data + 5, sizeof(first_data) - 5, 0));
    CHECK("a small bss variable is zero", all_bytes(small_bss, sizeof(small_bss), 0));
    CHECK("a bss array of several pages is zero", all_bytes(big_bss, sizeof(big_bss), 0));
    CHECK("the data's last page holds bss", tail_end > edata || edata == tail_end);
    CHECK("the bytes behind the end of bss are zero", all_bytes(end, last_end - end, 0));
    return finish();
}
