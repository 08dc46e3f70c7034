# Submit a job to this machine: start its script in the background and print its process id.
nohup sh "$1" > /dev/null 2>&1 &
echo $!
