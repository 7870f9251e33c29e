/*
 * list.h - a circular doubly linked list whose links live inside its members.
 *
 *   - struct list is both the head of a list and the link inside a member.
 *   - A link that is in no list points to itself: list_del leaves it so, and
 *     list_empty(&member->link) then says "in no list".
 *   - Nothing here locks or allocates; the owner of the list says which lock it has.
 */
#pragma once

#include "kernel/lib/types.h"

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
    return l->next == l;
}

/* Puts @l, which is in no list, right behind @pos. */
static inline void
list_insert_after(struct list *pos, struct list *l)
{
    l->prev = pos;
    l->next = pos->next;
    pos->next->prev = l;
    pos->next = l;
}

static inline void
list_push_front(struct list *head, struct list *l)
{
    list_insert_after(head, l);
}

static inline void
list_push_back(struct list *head, struct list *l)
{
    list_insert_after(head->prev, l);
}

static inline void
list_del(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Takes the first link off the list; NULL when the list is empty. */
static inline struct list *
list_pop_front(struct list *head)
{
    struct list *l = head->next;

    if (l == head)
        return NULL;
    list_del(l);
    return l;
}

/* Moves the first to the end and returns it; NULL: the list is empty. */
static inline struct list *
list_rotate(struct list *head)
{
    struct list *first = list_pop_front(head);

    if (first != NULL)
        list_push_back(head, first);
    return first;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

#define list_first(head, type, member) \
    (list_empty(head) ? NULL : list_entry((head)->next, type, member))

#define list_last(head, type, member) \
    (list_empty(head) ? NULL : list_entry((head)->prev, type, member))

#define list_for_each(pos, head, member)                                               \
    for (pos = list_entry((head)->next, typeof(*pos), member); &pos->member != (head); \
         pos = list_entry(pos->member.next, typeof(*pos), member))

/* The same, when the body may take @pos off the list; @tmp is a second cursor. */
#define list_for_each_safe(pos, tmp, head, member)                \
    for (pos = list_entry((head)->next, typeof(*pos), member),    \
        tmp = list_entry(pos->member.next, typeof(*pos), member); \
         &pos->member != (head);                                  \
         pos = tmp, tmp = list_entry(tmp->member.next, typeof(*tmp), member))
