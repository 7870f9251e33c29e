/*
 * test_avl.c - the balanced tree against an array of what is in it: order, heights, what nodes
 * keep of their subtrees, and the links to who comes next.
 */
#include "kernel/lib/avl.c"
#include "tests/unit/host.h"

#define MEMBERS 500
#define STEPS   40000

struct member {
    struct avl_node node;
    uint64_t key, weight;
    uint64_t heaviest; /* of the subtree */
    bool in;
};

static struct member members[MEMBERS]; /* in the order of their keys */
static struct avl_tree tree;

void
panic(const char *fmt, ...)
{
    printf("panic: %s\n", fmt);
    abort();
}

static struct member *
member_of(const struct avl_node *n)
{
    return container_of(n, struct member, node);
}

static bool
less(const struct avl_node *a, const struct avl_node *b)
{
    return member_of(a)->key < member_of(b)->key;
}

static uint64_t
heaviest(const struct avl_node *n)
{
    return n == NULL ? 0 : member_of(n)->heaviest;
}

static bool
update(struct avl_node *n)
{
    struct member *m = member_of(n);
    uint64_t old = m->heaviest;

    m->heaviest = MAX(m->weight, MAX(heaviest(n->left), heaviest(n->right)));
    return m->heaviest != old;
}

/* Checks the subtree, whose members are next in the array from *@at on; returns its height. */
static int
check(const struct avl_node *n, unsigned *at)
{
    if (n == NULL)
        return 0;

    int left = check(n->left, at);

    while (*at < MEMBERS && !members[*at].in)
        ++*at;
    CHECK(*at < MEMBERS && n == &members[*at].node);
    ++*at;

    int right = check(n->right, at);

    CHECK(left - right <= 1 && right - left <= 1);
    CHECK(n->height == 1 + MAX(left, right));
    CHECK(member_of(n)->heaviest ==
          MAX(member_of(n)->weight, MAX(heaviest(n->left), heaviest(n->right))));
    return n->height;
}

static void
check_all(void)
{
    unsigned at = 0;

    (void)check(tree.root, &at);
    for (; at < MEMBERS; at++)
        CHECK(!members[at].in);
}

/* Puts @m in or takes it out; the weight of who follows changes with it, and needs no refresh. */
static void
toggle(struct member *m)
{
    for (struct member *next = m + 1; next < &members[MEMBERS]; next++) {
        if (!next->in)
            continue;
        next->weight = host_random() % 1000;
        break;
    }
    if (!m->in)
        avl_insert(&tree, &m->node);
    else
        avl_remove(&tree, &m->node);
    m->in = !m->in;
}

/* A member changes, comes or goes; @of times out of ten it goes. */
static void
step(unsigned of)
{
    struct member *m = &members[host_random() % MEMBERS];

    if (host_random() % 3 == 0 && m->in) {
        m->weight = host_random() % 1000;
        avl_refresh(&tree, &m->node);
    } else if (m->in == (host_random() % 10 < of)) {
        m->weight = m->in ? m->weight : host_random() % 1000;
        toggle(m);
    }
}

int
main(void)
{
    tree = (struct avl_tree){.less = less, .update = update};
    for (unsigned i = 0; i < MEMBERS; i++)
        members[i].key = 10 * i;
    for (unsigned i = 0; i < MEMBERS;
         i++) { /* in order: the worst for a tree without balance */
        toggle(&members[i]);
        check_all();
    }
    CHECK(tree.root->height <= 12);
    for (unsigned i = 0; i < STEPS; i++) {
        step(i % (STEPS / 4) < STEPS / 8 ? 7 : 3);
        if (i % 16 == 0)
            check_all();
    }
    for (unsigned i = 0; i < MEMBERS; i++)
        if (members[i].in)
            toggle(&members[i]);
    CHECK(tree.root == NULL);
    printf("ok\n");
    return 0;
}
