import time, os, signal, subprocess
import pytest
from tests.roads.test_gateway_proxy import *
from tests.roads.test_gateway_proxy import Rented, ProxyRoad
import tests.roads.gateway as gw
from tests.roads.network import processes, is_server

class Slow(ProxyRoad):
    def _config(self):
        orig = gw.StorageNetwork
        gw.StorageNetwork = lambda hosts, **k: orig(hosts, lease_seconds=int(os.environ.get("LEASE", "40")), **k)
        try: return super()._config()
        finally: gw.StorageNetwork = orig

SEM = r'''
cd /mnt/share
t() { n=$1; shift; if out=$(sh -c "$*" 2>&1); then echo "ok   $n $out"; else echo "FAIL $n: $out"; fi; }
t trunc 'echo aaaaaa > f && echo b > f && [ "$(cat f)" = b ]'
t append 'echo 1 >> g && echo 2 >> g && [ "$(cat g | tr -d "\n")" = 12 ]'
t upgrade 'echo orig > u; exec 3< u; exec 4<> u; echo new >&4; sync u; read x < u; [ "$x" = new ]'
t upgrade2 'echo orig > v; exec 3< v; read y <&3; exec 4>> v; echo more >&4; sync v; [ "$(cat v | tr "\n" " ")" = "orig more " ]'
t wronly_then_read 'exec 3> w; echo one >&3; sync w; [ "$(cat w)" = one ]; echo two >&3; sync w; [ "$(cat w|tr -d "\n")" = onetwo ]'
t flock 'touch l; flock -n l -c "flock -n l -c true && exit 1 || exit 0"'
t big 'dd if=/dev/urandom of=/tmp/big bs=1M count=24 2>/dev/null; dd if=/tmp/big of=big bs=4M conv=fsync 2>/dev/null; cmp /tmp/big big'
t odd 'dd if=/tmp/big of=odd bs=1048577 count=7 conv=fsync 2>/dev/null; dd if=/tmp/big bs=1048577 count=7 2>/dev/null | cmp - odd'
t sparse 'dd if=/dev/zero of=sp bs=1 count=1 seek=100000000 2>/dev/null; [ "$(stat -c %s sp)" = 100000001 ]'
t truncdown 'truncate -s 10 big; [ "$(stat -c %s big)" = 10 ]'
t rename 'echo 1 > r1; echo 2 > r2; mv r1 r2; [ "$(cat r2)" = 1 ]; [ ! -e r1 ]'
t unlinkopen 'echo x > o; exec 3< o; rm o; [ "$(cat <&3)" = x ]'
t symlink 'ln -s f sl; [ "$(cat sl)" = b ]; [ "$(readlink sl)" = f ]'
t hardlink 'ln f hl; [ "$(stat -c %h f)" = 2 ]'
t chmod 'chmod 640 f; [ "$(stat -c %a f)" = 640 ]'
t chown 'chown 1234:77 f; [ "$(stat -c %u:%g f)" = 1234:77 ]'
t excl 'set -C; echo x > ex && ! (echo y > ex) 2>/dev/null'
t mkdirs 'mkdir -p a/b/c/d; echo 1 > a/b/c/d/e; rm -r a; [ ! -e a ]'
t many 'mkdir many; cd many; i=0; while [ $i -lt 600 ]; do : > n$i; i=$((i+1)); done; [ $(ls | wc -l) = 600 ]; rm -r ../many'
t mkfifo 'mkfifo ff; [ -p ff ]'
t touchd 'touch -d 2020-01-02 f; [ "$(stat -c %Y f)" -lt 1600000000 ]'
t df 'df -k . | tail -1'
t longname 'n=$(printf %0200d 7); echo 1 > $n; [ -e $n ]'
t nobody 'chmod 777 .; umask 077; echo s > secret; chown 5:5 secret; setuidgid 1 cat secret 2>/dev/null && exit 1 || exit 0'
'''

def test_explore(tmp_path_factory, guest_factory):
    with Slow(tmp_path_factory.mktemp("px")) as road:
        a = Rented(road, "alice"); a.guest = guest_factory([a.nic], modules=["nfsv4"])
        a.mount(options="noac,sync")
        r = a.guest.sh(SEM, timeout=280, check=False); print(r.rc, r.output)
        a.guest.sh("cd /; umount /mnt/share")
        a.mount(options="noac,sync")
        w = Writer(a.guest, "/mnt/share")
        print("lines", w.lines)
        # gateway dies
        t = time.monotonic()
        pid = [p for p, words in processes().items() if is_server(words, road.service.state)]
        os.kill(pid[0], signal.SIGKILL); print("gateway killed")
        try: print("goes on after", w.wait_lines(2), time.monotonic() - t)
        except AssertionError as e: print("writer:", e)
        try: w.finish()
        except AssertionError as e: print("finish:", e)
        w = Writer(a.guest, "/mnt/share")
        t = time.monotonic()
        road.filer.kill(); road.filer.start(); print("filer restarted")
        try: print("goes on after", w.wait_lines(2), time.monotonic() - t)
        except AssertionError as e: print("writer:", e, time.monotonic() - t)
        try: w.finish()
        except AssertionError as e: print("finish:", e)
        c = NfsClient(a.guest)
        print("then", c.write("/mnt/share/after", "x").rc, time.monotonic()-t)
        import glob
        for f in glob.glob(f"{road.service.state}/exports/*/*/ganesha.log"):
            print(subprocess.run(["grep","-v","NFS CB\\|nfs_Start\\|NFS STARTUP",f],capture_output=True,text=True).stdout[-3500:])
        print(subprocess.run(["grep","-i","grace",str(road.filer.log)],capture_output=True,text=True).stdout[-2500:])
