/*
 * avl.c - insertion and removal by recursion along the path, rebalancing on the way back.
 */
#include "kernel/lib/avl.h"

static int
height(const struct avl_node *n)
{
    return n == NULL ? 0 : n->height;
}

static void
refresh(struct avl_tree *t, struct avl_node *n)
{
    n->height = 1 + MAX(height(n->left), height(n->right));
    if (t->update != NULL)
        t->update(n);
}

static struct avl_node *
rotate_right(struct avl_tree *t, struct avl_node *n)
{
    struct avl_node *l = n->left;

    n->left = l->right;
    l->right = n;
    refresh(t, n);
    refresh(t, l);
    return l;
}

static struct avl_node *
rotate_left(struct avl_tree *t, struct avl_node *n)
{
    struct avl_node *r = n->right;

    n->right = r->left;
    r->left = n;
    refresh(t, n);
    refresh(t, r);
    return r;
}

/* The root of the subtree @n, whose children may now differ in height by two, made even. */
static struct avl_node *
balance(struct avl_tree *t, struct avl_node *n)
{
    int lean = height(n->left) - height(n->right);

    if (lean > 1) {
        if (height(n->left->left) < height(n->left->right))
            n->left = rotate_left(t, n->left);
        return rotate_right(t, n);
    }
    if (lean < -1) {
        if (height(n->right->right) < height(n->right->left))
            n->right = rotate_right(t, n->right);
        return rotate_left(t, n);
    }
    refresh(t, n);
    return n;
}

static struct avl_node *
insert(struct avl_tree *t, struct avl_node *at, struct avl_node *n)
{
    if (at == NULL) {
        n->left = n->right = NULL;
        refresh(t, n);
        return n;
    }
    if (t->less(n, at))
        at->left = insert(t, at->left, n);
    else
        at->right = insert(t, at->right, n);
    return balance(t, at);
}

/* Takes the leftmost node out of the subtree @at; *first receives it. */
static struct avl_node *
remove_first(struct avl_tree *t, struct avl_node *at, struct avl_node **first)
{
    if (at->left == NULL) {
        *first = at;
        return at->right;
    }
    at->left = remove_first(t, at->left, first);
    return balance(t, at);
}

static struct avl_node *
remove(struct avl_tree *t, struct avl_node *at, struct avl_node *n)
{
    if (at != n) {
        if (t->less(n, at))
            at->left = remove(t, at->left, n);
        else
            at->right = remove(t, at->right, n);
        return balance(t, at);
    }
    if (n->right == NULL)
        return n->left;

    struct avl_node *next;
    struct avl_node *right = remove_first(t, n->right, &next);

    next->left = n->left;
    next->right = right;
    return balance(t, next);
}

static void
refresh_path(struct avl_tree *t, struct avl_node *at, struct avl_node *n)
{
    if (at != n)
        refresh_path(t, t->less(n, at) ? at->left : at->right, n);
    refresh(t, at);
}

void
avl_insert(struct avl_tree *t, struct avl_node *n)
{
    t->root = insert(t, t->root, n);
}

void
avl_remove(struct avl_tree *t, struct avl_node *n)
{
    t->root = remove(t, t->root, n);
}

void
avl_refresh(struct avl_tree *t, struct avl_node *n)
{
    refresh_path(t, t->root, n);
}
