/*
 * avl.c - insertion and removal: a walk down, and rebalancing on the way back.
 */
#include "kernel/lib/avl.h"

#include "kernel/lib/assert.h"

#define DEPTH 48 /* of a tree of 2^33 nodes */

/* The links that a walk followed, from the root's down to the last. */
struct path {
    struct avl_node **link[DEPTH];
    unsigned n;
};

static int
height(const struct avl_node *n)
{
    return n == NULL ? 0 : n->height;
}

/* True if what the node says of its subtree has changed. */
static bool
refresh(struct avl_tree *t, struct avl_node *n)
{
    int old = n->height;

    n->height = 1 + MAX(height(n->left), height(n->right));
    return (t->update != NULL && t->update(n)) || n->height != old;
}

static struct avl_node *
rotate_right(struct avl_tree *t, struct avl_node *n)
{
    struct avl_node *l = n->left;

    n->left = l->right;
    l->right = n;
    (void)refresh(t, n);
    (void)refresh(t, l);
    return l;
}

static struct avl_node *
rotate_left(struct avl_tree *t, struct avl_node *n)
{
    struct avl_node *r = n->right;

    n->right = r->left;
    r->left = n;
    (void)refresh(t, n);
    (void)refresh(t, r);
    return r;
}

/* Makes the subtree at @link even, whose children may differ in height by two. */
static void
balance(struct avl_tree *t, struct avl_node **link)
{
    struct avl_node *n = *link;
    int lean = height(n->left) - height(n->right);

    if (lean > 1) {
        if (height(n->left->left) < height(n->left->right))
            n->left = rotate_left(t, n->left);
        *link = rotate_right(t, n);
    } else if (lean < -1) {
        if (height(n->right->right) < height(n->right->left))
            n->right = rotate_right(t, n->right);
        *link = rotate_left(t, n);
    } else {
        (void)refresh(t, n);
    }
}

static void
follow(struct path *p, struct avl_node **link)
{
    ASSERT(p->n < DEPTH);
    p->link[p->n++] = link;
}

/* The link to @n, or the empty one where it belongs; @p receives those on the way there. */
static struct avl_node **
walk_down(struct avl_tree *t, const struct avl_node *n, struct path *p)
{
    struct avl_node **link = &t->root;

    p->n = 0;
    while (*link != NULL && *link != n) {
        follow(p, link);
        link = t->less(n, *link) ? &(*link)->left : &(*link)->right;
    }
    return link;
}

static void
walk_up(struct avl_tree *t, const struct path *p)
{
    for (unsigned i = p->n; i-- > 0;)
        balance(t, p->link[i]);
}

void
avl_insert(struct avl_tree *t, struct avl_node *n)
{
    struct path p;

    *walk_down(t, n, &p) = n;
    n->left = n->right = NULL;
    (void)refresh(t, n);
    walk_up(t, &p);
}

void
avl_remove(struct avl_tree *t, struct avl_node *n)
{
    struct path p;
    struct avl_node **link = walk_down(t, n, &p);
    unsigned depth = p.n;

    if (n->right == NULL) {
        *link = n->left;
        walk_up(t, &p);
        return;
    }

    /* The next node takes its place: the first of those on the right. */
    struct avl_node **first = &n->right;

    follow(&p, link);
    while ((*first)->left != NULL) {
        follow(&p, first);
        first = &(*first)->left;
    }

    struct avl_node *next = *first;

    *first = next->right;
    next->left = n->left;
    next->right = n->right;
    *link = next;
    if (p.n > depth + 1)
        p.link[depth + 1] = &next->right;
    walk_up(t, &p);
}

void
avl_refresh(struct avl_tree *t, struct avl_node *n)
{
    struct path p;

    if (!refresh(t, n))
        return;
    (void)walk_down(t, n, &p);
    while (p.n > 0 && refresh(t, *p.link[p.n - 1]))
        p.n--;
}
