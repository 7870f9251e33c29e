/*
 * find_loop.c - a program with a bug: its tree is none, and its stack comes to an end.
 *
 * Checkpoint: 1 before it dies: in which function, the node that leads back, and to which node.
 */
/* build: -O0 */
#include "labs/core/find.h"

#define NODES  31
#define LEAVES 15 /* the number of the first */

struct node {
    uint32_t id;
    struct node *left, *right;
};

static struct node nodes[NODES];

static uint32_t
height_of(const struct node *n)
{
    if (n == NULL)
        return 0;

    uint32_t left = height_of(n->left), right = height_of(n->right);

    return 1 + (left > right ? left : right);
}

static uint32_t
count_of(const struct node *n)
{
    return n == NULL ? 0 : 1 + count_of(n->left) + count_of(n->right);
}

static uint32_t
sum_of(const struct node *n)
{
    return n == NULL ? 0 : n->id + sum_of(n->left) + sum_of(n->right);
}

static void
bug(uint32_t number)
{
    static uint32_t (*const uses[])(const struct node *) = {height_of, count_of, sum_of};
    uint32_t use = drawn(number, 1, 3), from = LEAVES + drawn(number, 2, NODES - LEAVES),
             to = from;

    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i].id = 100 * i + drawn(number, 10 + i, 100);
        nodes[i].left = i < LEAVES ? &nodes[2 * i + 1] : NULL;
        nodes[i].right = i < LEAVES ? &nodes[2 * i + 2] : NULL;
    }
    for (uint32_t up = 0; up <= drawn(number, 3, 3); up++)
        to = (to - 1) / 2;
    nodes[from].right = &nodes[to];
    checkpoint(1, (void *)(uintptr_t)use, nodes[from].id, nodes[to].id);
    say("%u\n", uses[use](nodes));
}

int
main(int argc, char **argv)
{
    return leave_core(bug, argc, argv);
}
