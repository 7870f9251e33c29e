# everyday.sh - what a shell is used for every day; run by busybox sh on both sides, with the
# same applets, in an empty directory.  What it prints must not depend on time or machine.
#
# It tries the shell's quoting and splitting on purpose:
# shellcheck shell=sh disable=all

section()
{
    echo "--- $1"
}

section "variables and arithmetic"
x=17 y=5
echo $((x * y)) $((x / y)) $((x % y)) $((x << y)) ${x}px ${nothing:-default} ${#HOME}
name=archive.tar.gz
echo ${name%.gz} ${name%%.*} ${name#*.} ${name##*.}
set -- one "two words" three
for arg in "$@"; do echo "[$arg]"; done
shift
echo $# "$1"

section "pipes"
seq 1 1000 | awk '{ s += $1 } END { print s }'
printf 'pear\napple\nfig\napple\n' | sort | uniq -c | sort -rn | sed 's/^ *//'
echo hello world | tr a-z A-Z | rev
yes vitrine | head -n 20000 | wc
seq 1 500 | grep 7 | tail -n 3 | tr '\n' ' '
echo

section "redirection"
echo first >file
echo second >>file
cat <file
cat nobody 2>/dev/null || echo "no such file"
{ echo out; echo err >&2; } 2>&1 >onlyout | sed 's/^/caught: /'
cat onlyout
exec 5>fifth
echo "through five" >&5
exec 5>&-
cat fifth
: >file
wc -c <file

section "here-documents"
cat <<END
x is $x, and $((x + 1)) follows
END
cat <<'END'
x is not $x
END
cat <<-END
	tabs are taken away
	END
lines=$(cat <<END | wc -l
1
2
3
END
)
echo "$lines" | tr -d ' '

section "control"
i=0
while [ $i -lt 5 ]; do
    i=$((i + 1))
    [ $i = 3 ] && continue
    case $i in 4) break ;; *) echo "turn $i" ;; esac
done
false || echo "false is false"
(exit 7)
echo $?
f() { local inner=$1; echo "in f: $inner"; return 3; }
f argument
echo $?
trap 'echo "trap on exit"' EXIT
(trap 'echo "caught USR1"' USR1; kill -USR1 $(sh -c 'echo $PPID'); echo after)
echo "$(echo nested "$(echo deeper)")"

section "files"
mkdir -p tree/a/b tree/c
for n in 1 2 3 4 5; do echo "content $n" >tree/a/f$n; done
ln tree/a/f1 tree/c/hard
ln -s ../a/f2 tree/c/soft
cat tree/c/hard tree/c/soft
mv tree/a/f3 tree/c/moved
cp -r tree copy
chmod 600 tree/a/f4
stat -c '%A %s %F' tree/a/f4
find tree -type f | sort
find tree -name 'f*' -exec cat {} \; | sort
find copy -type l -o -name moved | sort
diff -r tree copy && echo "no difference"
rm -r copy
ls -1 tree tree/c
test -e copy || echo "copy is gone"

section "tar and gzip"
tar cf tree.tar tree
tar tf tree.tar | sort
gzip -9 tree.tar
mkdir out
gzip -dc tree.tar.gz | tar xf - -C out
diff -r tree out/tree && echo "unpacked as packed"
seq 1 20000 | gzip -c | gunzip -c | md5sum
seq 1 20000 | bzip2 -c | bunzip2 -c | sha1sum

section "awk and sed"
seq 1 10 | awk 'NR % 2 { odd += $1 } { all[NR] = $1 } END { print odd; for (i = 10; i > 7; i--) print all[i] }'
printf 'a:1\nb:2\nc:3\n' | awk -F: '{ printf "%s=%05.2f ", $1, $2 / 3 } END { print "" }'
printf 'one two\nthree four\n' | sed -n 's/\([a-z]*\) \([a-z]*\)/\2 \1/p'
seq 1 10 | sed '2,8d;s/$/!/'
printf 'x\ny\n' | sed '1i\
before'

section "job control"
sleep 100 &
kill %1
wait
echo "waited, $?"
sleep 100 & pid=$!
kill -9 $pid
wait $pid
echo "killed with $?"
(sleep 0.1; exit 5) & wait $!
echo "left with $?"
for n in 1 2 3; do (exit $n) & done
wait
echo "all three"

section "many processes"
i=0
while [ $i -lt 60 ]; do
    /bin/busybox true && i=$((i + 1))
done
echo $i
seq 1 40 | xargs -n 1 echo item | tail -n 1
