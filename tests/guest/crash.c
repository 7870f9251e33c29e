/*
 * crash.c - a program that dies in a way that a debugger has something to show: nested calls with
 * arguments and variables, known values in registers, a tree on the heap.
 *
 * usage: crash segv|abort|fpe [MIB]
 *
 * With MIB it first touches so much of the heap and an eighth of it of the stack.
 * tests/test_core.py compares what gdb says about its cores on Linux and on Vitrine.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096UL

struct node {
    int key;
    struct node *left, *right;
    char name[12];
};

static double numbers[4] = {1.5, -2.25, 1e100, 0};
static const char *const words[] = {"to", "be", "continued", NULL};
static uint64_t *heap;
static size_t heap_words;
static struct node *root;
static char *how;

static struct node *
grow(int low, int high)
{
    if (low > high)
        return NULL;
    struct node *n = calloc(1, sizeof(*n));
    n->key = (low + high) / 2;
    snprintf(n->name, sizeof(n->name), "node %d", n->key);
    n->left = grow(low, n->key - 1);
    n->right = grow(n->key + 1, high);
    return n;
}

static int
fall(struct node *n, int sum)
{
    char local[40] = "";

    snprintf(local, sizeof(local), "falling through %s", n->name);
    sum += n->key;
    if (n->left != NULL)
        return fall(n->left, sum) + local[0];
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "fpe") == 0)
        return sum / (n->left != NULL);
    __asm__ volatile("movq $0x1111111111, %%rbx; movq $-2, %%r12\n\t"
                     "movq $0x3333333333333333, %%r13; movq $4, %%r14\n\t"
                     "movsd %1, %%xmm7; fldpi; movl $1, (%0)"
                     :
                     : "r"(0x123456UL), "m"(numbers[1])
                     : "rbx", "r12", "r13", "r14", "xmm7", "memory");
    return 0;
}

/* Uses @frames pages of stack, each with a variable of its own. */
static int
dig(int frames)
{
    volatile uint64_t page[PAGE / sizeof(uint64_t)];

    page[0] = (uint64_t)frames * 3;
    page[100] = ~page[0];
    int deeper = frames > 0 ? dig(frames - 1) : fall(root, 0);
    return deeper + (int)page[100];
}

int
main(int argc, char **argv)
{
    size_t mib = argc > 2 ? (size_t)atoi(argv[2]) : 0;

    how = argv[1];
    root = grow(1, 31);
    heap_words = (mib << 20) / sizeof(*heap);
    heap = malloc(heap_words * sizeof(*heap) + 1);
    for (size_t i = 0; i < heap_words; i++)
        heap[i] = i * 0x9e3779b97f4a7c15UL;
    return words[0][0] + dig((int)(mib << 20 >> 3) / (int)PAGE);
}
