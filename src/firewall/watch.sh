# Keeps the firewall of k3srun in force, whatever other programs do to nftables.
#
# The rules are there twice. The table k3srun is what everybody sees. Its copy k3srun_held belongs to a process of this script:
# nobody else can change or remove it, not even by `nft flush ruleset`. So no packet uses the moment until the table is back.
# Linux before 5.12 and nftables before 1.0 don't know such tables: there the moment is as long as it takes to load the rules.
file=/etc/k3srun/firewall.nft listing=/var/lib/k3srun/firewall.listing restored=/var/lib/k3srun/firewall.restored
run=/run/firewall-k3srun
mkdir -p $run /var/lib/k3srun
chmod 0700 $run

# The copy comes after the table, which so counts and logs what both would drop.
sed -e '/^\(delete \)\{0,1\}table inet k3srun$/d' -e 's/^table inet k3srun {$/table inet k3srun_held { flags owner;/' \
  -e 's/ priority -150;/ priority -149;/' $file >$run/held.nft
{
  echo "include \"$run/held.nft\""
  exec sleep infinity
} | nft -i >/dev/null &
holder=$!

listed() { nft -s list table inet k3srun 2>/dev/null; }

# Loads the table again where it isn't what was loaded last, and notes it. The lock is held by whoever changes it on purpose.
look() {
  kill -0 $holder 2>/dev/null || exit 1
  (
    flock 8
    now=$(listed)
    if [ -n "$now" ] && [ "$now" = "$(cat $listing 2>/dev/null)" ]; then exit 0; fi
    # Another nft than the one that loaded it may list it differently.
    if nft -f $file && again=$(listed); then printf '%s\n' "$again" >$listing
    else systemctl restart --no-block firewall-k3srun.service
    fi
    if [ -z "$now" ]; then what=removed; else what=changed; fi
    echo "the table inet k3srun had been $what by another program, and was loaded again"
    { tail -n 19 $restored 2>/dev/null; echo "$(date +%s) $what"; } >$run/restored
    mv -f $run/restored $restored
  ) 8>/run/firewall-k3srun.lock
}

rm -f $run/events
mkfifo -m 0600 $run/events
{ exec nft monitor destroy tables; } >$run/events &
while :; do echo minute; sleep 60; done >$run/events &
while read -r _; do look; done <$run/events
