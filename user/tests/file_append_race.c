/*
 * file_append_race.c - four processes append records to one file; none is lost or torn.
 */
/* also: tmpfs */
#include "test.h"

#define RECORD 37

int
main(void)
{
    pid_t pid[4];
    char record[RECORD], got[RECORD];
    int fd = (int)MUST(open("log", O_CREAT | O_RDWR | O_APPEND, 0600)), seen[4] = {0}, torn = 0;

    for (int i = 0; i < 4; i++) {
        pid[i] = (pid_t)MUST(fork());
        if (pid[i] != 0)
            continue;
        memset(record, 'A' + i, RECORD);
        for (int k = 0; k < 100; k++)
            MUST(write(fd, record, RECORD));
        _exit(0);
    }
    for (int i = 0; i < 4; i++)
        show_status("writer", reap(pid[i]));
    show("size", lseek(fd, 0, SEEK_END));
    MUST(lseek(fd, 0, SEEK_SET));
    while (read(fd, got, RECORD) == RECORD) {
        int who = got[0] - 'A';
        if (who < 0 || who > 3 || !all_bytes(got, RECORD, (unsigned char)got[0]))
            torn++;
        else
            seen[who]++;
    }
    say("%d %d %d %d records, %d torn\n", seen[0], seen[1], seen[2], seen[3], torn);
    return finish();
}
