#!/bin/sh
# Runs systemd as the first process of a Debian that lies in a folder.
#
#   unshare --mount --propagation unchanged first-process.sh FOLDER GROUP
#
# It gets its own processes, mounts, host name and control group, and the network of
# whoever calls. What belongs to the kernel as a whole (settings, modules, clock) it
# cannot change.
set -eu
root=$1 group=$2

if [ "${3:-}" != inside ]; then
  if mountpoint -q /; then
    mount --make-rprivate /
  else
    # In a chroot: what pivot_root puts away has to be a mount.
    mount --rbind / "$root/mnt"
    exec chroot "$root/mnt" "$0" "$root" "$group"
  fi
  # A control group first, which then is the root of all that it sees.
  mount -t cgroup2 none "$root/sys"
  mkdir "$root/sys/$group"
  echo $$ >"$root/sys/$group/cgroup.procs"
  umount "$root/sys"
  exec unshare --pid --ipc --uts --cgroup --fork --kill-child "$0" "$root" "$group" inside
fi

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -o remount,bind,ro "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
hostname machine
cd "$root"
pivot_root . mnt
# shellcheck disable=SC2016  # expanded by nobody
exec chroot . /bin/sh -c 'umount -l /mnt
exec setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-sys_boot,-syslog \
  env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --show-status=0 systemd.unit=multi-user.target' </dev/null
