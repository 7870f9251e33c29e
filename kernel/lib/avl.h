/*
 * avl.h - a balanced search tree whose nodes live inside its members (Adelson-Velsky and
 * Landis, 1962).
 *
 *   - Keyed by whatever the owner's compare says; equal keys are not allowed.
 *   - "Augmented": after a node's subtrees changed, the owner's update recomputes what the
 *     node keeps about its subtree (the widest gap, say).
 *   - Height is at most 1.44 log2(n): 29 at a million members.
 */
#pragma once

#include "kernel/lib/types.h"

struct avl_node {
    struct avl_node *left, *right;
    int height; /* 1 for a leaf */
};

struct avl_tree {
    struct avl_node *root;
    bool (*less)(const struct avl_node *a, const struct avl_node *b);
    bool (*update)(struct avl_node *n); /* true: something changed; may be NULL */
};

/*
 * Puts in @n, whose key is not in the tree yet; takes out @n, which is. Every node on the way is
 * updated, and so is the one that follows @n in order, for it is always one of them.
 */
void avl_insert(struct avl_tree *t, struct avl_node *n);
void avl_remove(struct avl_tree *t, struct avl_node *n);

/* Updates @n and the nodes above it, when something of @n changed but its order. */
void avl_refresh(struct avl_tree *t, struct avl_node *n);
