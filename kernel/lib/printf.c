/*
 * printf.c - turning numbers and strings into text.
 *
 * Knows nothing of where the text goes: it is handed to a sink in pieces, so that a panic with
 * a few hundred bytes of stack left can still print.  The log itself (kprintf) is
 * kernel/arch/log.c, because it needs a lock.
 *
 * Main idea: a conversion is parsed into a struct spec, a number is written backwards into a
 * small buffer, and one function pads.
 */
#include "kernel/lib/printf.h"

#include "kernel/lib/string.h"

/* Enough for 64 bits in octal. */
#define DIGITS_MAX 24

enum size { SIZE_INT, SIZE_CHAR, SIZE_SHORT, SIZE_LONG };

struct spec {
    bool left, zero, alt, plus, space; /* flags - 0 # + and space */
    int width;
    int precision; /* -1: none given */
    enum size size;
    char conversion;
};

struct out {
    format_sink sink;
    void *arg;
    size_t length;
};

static void
out_text(struct out *o, const char *text, size_t len)
{
    if (len != 0)
        o->sink(o->arg, text, len);
    o->length += len;
}

static void
out_repeat(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        out_text(o, &c, 1);
}

static bool
parse_flag(struct spec *s, char c)
{
    switch (c) {
    case '-':
        s->left = true;
        return true;
    case '0':
        s->zero = true;
        return true;
    case '#':
        s->alt = true;
        return true;
    case '+':
        s->plus = true;
        return true;
    case ' ':
        s->space = true;
        return true;
    default:
        return false;
    }
}

/* A width or precision in digits; stops growing before it overflows. */
static const char *
parse_int(const char *p, int *value)
{
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (*value < 100000)
            *value = *value * 10 + (*p - '0');
    return p;
}

static const char *
parse_size(const char *p, enum size *size)
{
    *size = SIZE_INT;
    if (p[0] == 'h') {
        *size = p[1] == 'h' ? SIZE_CHAR : SIZE_SHORT;
        return p + (p[1] == 'h' ? 2 : 1);
    }
    if (p[0] == 'l' || p[0] == 'z' || p[0] == 'j' || p[0] == 't') {
        *size = SIZE_LONG; /* all of them have 64 bits here */
        return p + (p[0] == 'l' && p[1] == 'l' ? 2 : 1);
    }
    return p;
}

/* One conversion, from behind its %; returns where its letter stands. */
static const char *
parse_spec(const char *p, struct spec *s, va_list *ap)
{
    *s = (struct spec){.precision = -1};
    while (parse_flag(s, *p))
        p++;
    if (*p == '*') {
        s->width = va_arg(*ap, int);
        p++;
        if (s->width < 0) { /* C11 7.21.6.1: a negative width is a '-' flag and its amount */
            s->left = true;
            s->width = s->width == INT32_MIN ? 0 : -s->width;
        }
    } else {
        p = parse_int(p, &s->width);
    }
    if (*p == '.') {
        p++;
        if (*p == '*') {
            s->precision = va_arg(*ap, int); /* a negative one counts as none */
            p++;
        } else {
            p = parse_int(p, &s->precision);
        }
    }
    p = parse_size(p, &s->size);
    s->conversion = *p;
    return p;
}

static uint64_t
take_unsigned(const struct spec *s, va_list *ap)
{
    switch (s->size) {
    case SIZE_LONG:
        return va_arg(*ap, uint64_t);
    case SIZE_CHAR:
        return (unsigned char)va_arg(*ap, unsigned);
    case SIZE_SHORT:
        return (unsigned short)va_arg(*ap, unsigned);
    default:
        return va_arg(*ap, unsigned);
    }
}

static int64_t
take_signed(const struct spec *s, va_list *ap)
{
    switch (s->size) {
    case SIZE_LONG:
        return va_arg(*ap, int64_t);
    case SIZE_CHAR:
        return (signed char)va_arg(*ap, int);
    case SIZE_SHORT:
        return (short)va_arg(*ap, int);
    default:
        return va_arg(*ap, int);
    }
}

/* Writes the digits of @n backwards, ending at @end; returns where they begin. */
static char *
write_digits(char *end, uint64_t n, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; n != 0; n /= base)
        *--end = digits[n % base];
    return end;
}

/* Prefix (sign or 0x), zeros, digits, inside the width. */
static void
out_number(struct out *o, const struct spec *s, uint64_t n, unsigned base, const char *prefix)
{
    char buf[DIGITS_MAX];
    char *end = buf + sizeof(buf);
    char *start = write_digits(end, n, base, s->conversion == 'X');
    int digits = end - start;
    int prefix_len = strlen(prefix);
    int zeros = (s->precision < 0 ? 1 : s->precision) - digits;

    if (s->conversion == 'o' && s->alt && zeros <= 0)
        zeros = 1;
    if (zeros < 0)
        zeros = 0;
    int pad = s->width - prefix_len - zeros - digits;
    if (s->zero && !s->left && s->precision < 0 && pad > 0) {
        zeros += pad;
        pad = 0;
    }
    if (!s->left)
        out_repeat(o, ' ', pad);
    out_text(o, prefix, prefix_len);
    out_repeat(o, '0', zeros);
    out_text(o, start, digits);
    if (s->left)
        out_repeat(o, ' ', pad);
}

static void
out_signed(struct out *o, const struct spec *s, int64_t n)
{
    const char *sign = s->plus ? "+" : s->space ? " " : "";

    /* The negation is done unsigned: INT64_MIN has no positive. */
    out_number(o, s, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, n < 0 ? "-" : sign);
}

static void
out_unsigned(struct out *o, const struct spec *s, uint64_t n)
{
    switch (s->conversion) {
    case 'o':
        out_number(o, s, n, 8, "");
        break;
    case 'x':
        out_number(o, s, n, 16, s->alt && n != 0 ? "0x" : "");
        break;
    case 'X':
        out_number(o, s, n, 16, s->alt && n != 0 ? "0X" : "");
        break;
    default:
        out_number(o, s, n, 10, "");
        break;
    }
}

static void
out_string(struct out *o, const struct spec *s, const char *text)
{
    if (text == NULL)
        text = "(null)";
    size_t len = s->precision < 0 ? strlen(text) : strnlen(text, s->precision);
    int pad = s->width > (int)len ? s->width - (int)len : 0;

    if (!s->left)
        out_repeat(o, ' ', pad);
    out_text(o, text, len);
    if (s->left)
        out_repeat(o, ' ', pad);
}

static void
out_char(struct out *o, const struct spec *s, char c)
{
    if (!s->left)
        out_repeat(o, ' ', s->width - 1);
    out_text(o, &c, 1);
    if (s->left)
        out_repeat(o, ' ', s->width - 1);
}

/* Returns false if the conversion is none that we know. */
static bool
out_conversion(struct out *o, struct spec *s, va_list *ap)
{
    switch (s->conversion) {
    case 'd':
    case 'i':
        out_signed(o, s, take_signed(s, ap));
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        out_unsigned(o, s, take_unsigned(s, ap));
        return true;
    case 'p':
        out_number(o, s, (uintptr_t)va_arg(*ap, void *), 16, "0x");
        return true;
    case 's':
        out_string(o, s, va_arg(*ap, const char *));
        return true;
    case 'c':
        out_char(o, s, va_arg(*ap, int));
        return true;
    case '%':
        out_text(o, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t
vformat(format_sink sink, void *arg, const char *fmt, va_list ap_in)
{
    struct out o = {.sink = sink, .arg = arg};
    va_list ap;

    va_copy(ap, ap_in); /* a va_list that is a parameter has no address of its own type */
    while (*fmt != '\0') {
        const char *start = fmt;
        struct spec s;

        while (*fmt != '\0' && *fmt != '%')
            fmt++;
        out_text(&o, start, fmt - start);
        if (*fmt == '\0')
            break;
        start = fmt;
        fmt = parse_spec(fmt + 1, &s, &ap);
        if (!out_conversion(&o, &s, &ap)) /* show it as it stands rather than guess */
            out_text(&o, start, fmt - start + (*fmt != '\0'));
        if (*fmt != '\0')
            fmt++;
    }
    va_end(ap);
    return o.length;
}

struct buffer {
    char *at;
    size_t room; /* the NUL's place not counted */
};

static void
buffer_sink(void *arg, const char *text, size_t len)
{
    struct buffer *b = arg;
    size_t n = MIN(len, b->room);

    memcpy(b->at, text, n);
    b->at += n;
    b->room -= n;
}

int
vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct buffer b = {.at = buf, .room = size > 0 ? size - 1 : 0};
    size_t length = vformat(buffer_sink, &b, fmt, ap);

    if (size > 0)
        *b.at = '\0';
    return length;
}

int
snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int length = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return length;
}
