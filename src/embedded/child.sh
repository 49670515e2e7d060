# Runs one redis-server as long as the parent process (child.rs) runs. POSIX sh.
#
# arguments: the command line of redis-server
# stdin: a pipe that the parent keeps open and never writes to; stdout: redis.lock; stderr: the log
# KEEPS: redis-server ends when the parent has ended, however it ended; this shell ends with
# redis-server; all other processes of this process group end with this shell.

exec 3<&0 4>&1 </dev/null >&2
umask 077

# Every process here inherits descriptor 4, so that the directory stays locked until all have ended.
"$@" 3<&- &
redis=$!

# A shell without job control gives a background process /dev/null as stdin, so the watcher reads
# descriptor 3.
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

# The shell would log the processes that it kills here, but the last line of the log should be from
# redis-server.
exec 2>/dev/null
# The shell waits for the watcher: if process 1 reaps no orphans, it would stay as a zombie.
kill -KILL "$watcher"
wait "$watcher"
# The process group is this shell's own (child.rs). This kills the watcher's sleep, a rewrite of the
# append-only file whose redis-server was killed, and last this shell itself.
kill -KILL 0
