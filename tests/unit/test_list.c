/*
 * test_list.c - the intrusive list.
 */
#include "kernel/lib/list.h"
#include "tests/unit/host.h"

struct item {
    int n;
    struct list link;
};

static struct list head = LIST_INIT(head);
static struct item items[4] = {{.n = 0}, {.n = 1}, {.n = 2}, {.n = 3}};

/* The numbers in the list, first to last, as decimal digits after a leading 1. */
static int
contents(void)
{
    struct item *i;
    int sum = 1;

    list_for_each (i, &head, link)
        sum = sum * 10 + i->n;
    return sum;
}

int
main(void)
{
    struct item *i, *tmp;

    CHECK(list_empty(&head) && contents() == 1);
    CHECK(list_first(&head, struct item, link) == NULL && list_pop_front(&head) == NULL);
    list_push_back(&head, &items[1].link);
    list_push_back(&head, &items[3].link);
    list_push_front(&head, &items[0].link);
    list_insert_after(&items[1].link, &items[2].link);
    CHECK(contents() == 10123);
    CHECK(list_first(&head, struct item, link) == &items[0]);
    CHECK(list_last(&head, struct item, link) == &items[3]);

    list_del(&items[1].link);
    CHECK(contents() == 1023 && list_empty(&items[1].link));
    list_del(&items[1].link); /* again: does no harm */
    CHECK(contents() == 1023);

    list_for_each_safe(i, tmp, &head, link) if (i->n == 2) list_del(&i->link);
    CHECK(contents() == 103);
    CHECK(list_pop_front(&head) == &items[0].link && list_pop_front(&head) == &items[3].link);
    CHECK(list_empty(&head));
    printf("ok\n");
    return 0;
}
