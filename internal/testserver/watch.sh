# Starts the server below a process that outlives the tests for a moment. Each line that comes in starts the server
# once and is answered by its process id; "ended" follows when it and its children are gone. At the end of the input,
# which comes however the tests end, the server is ended and its folder removed.
#
# sh watch.sh FOLDER SIGNAL SERVER [ARGUMENT ...]
folder=$1 signal=$2
shift 2
cd /
trap '' PIPE
exec 3>&1

while read -r _; do
	rm -f "$folder/alive" # a pipe that the server and its children hold open as long as one of them runs
	mkfifo "$folder/alive"
	pid=$(
		{
			"$@" </dev/null >>"$folder/log" 2>&1 3>&- 4>"$folder/alive" &
			echo $! >"$folder/pid"
			echo $! >&3
			echo $!
			exec >&3 # lets the outer shell go on
			read -r _ <"$folder/alive"
			wait $!
			rm -f "$folder/pid" # before the number can be another process's
			echo ended
		} &
	)
done

if [ -e "$folder/pid" ]; then
	kill -s "$signal" "$pid"
	while [ -e "$folder/pid" ]; do sleep 0.05; done
fi
for _ in 1 2 3 4 5; do # what a killed server's children still write may need another round
	rm -rf "$folder" && break
	sleep 1
done
