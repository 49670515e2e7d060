# Keeps one redis-server from the first to the last breath of its parent (child.rs). POSIX sh.
#
# arguments: the command line of redis-server
# stdin: a pipe that the parent holds and never writes into; stdout: redis.lock; stderr: the log
# KEEPS: redis-server ends when the parent has ended, however it ended; this shell ends with
# redis-server; what either leaves behind in this process group ends with this shell.

exec 3<&0 4>&1 </dev/null >&2
umask 077

# Everything here inherits descriptor 4, so that the directory stays locked until all of it is gone.
"$@" 3<&- &
redis=$!

# A shell without job control gives a background process /dev/null as stdin: hence descriptor 3.
(
    while read -r line <&3; do :; done
    kill -TERM "$redis"
    for second in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$redis" || exit 0
        sleep 1
    done
    kill -KILL "$redis"
) 2>/dev/null &
watcher=$!
exec 3<&-

wait "$redis"
status=$?
if [ "$status" -gt 128 ]; then
    echo "redis-server was ended by signal $((status - 128))" >&2
fi

# The shell would report whom it ends here, and the last line of the log is for redis-server.
exec 2>/dev/null
# Waited for: where process 1 collects nobody, a watcher that is left would stay as a zombie.
kill -KILL "$watcher"
wait "$watcher"
# The group is this shell's own (child.rs): the watcher's sleep, a rewrite of the append-only file
# whose redis-server was killed, and last this shell itself.
kill -KILL 0
