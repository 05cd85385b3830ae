# Sourced by the build step: Java's tools with this machine's certificates, proxy and settings, and the shared caches.
scripts=/tmp/nucleo-java
own=/tmp/nucleo
mkdir -p $own

# Java reads no PEM bundle. The JDK of the build image takes its certificates from $own/cacerts as soon as that exists;
# the store is made once for a bundle and kept in the cache.
if [ -f "${SSL_CERT_FILE:-}" ] && [ ! -e $own/cacerts ]; then
  store=/cache/trust/$(sha256sum "$SSL_CERT_FILE" | cut -c1-32)
  if [ ! -s "$store" ]; then
    mkdir -p /cache/trust
    part=$(mktemp /cache/trust/part.XXXXXX)
    sed -n '/^-----BEGIN/,/^-----END/p' "$SSL_CERT_FILE" | java $scripts/Trust.java "$part"
    mv "$part" "$store"
  fi
  cp "$store" $own/cacerts
fi

# Nor does it read HTTPS_PROXY. In a file, so that no list of processes shows a password.
proxied=
proxy=${https_proxy:-${http_proxy:-}}
if [[ $proxy =~ ^(https?://)?(([^:@/]*)(:([^@/]*))?@)?([^:/]+)(:([0-9]+))?/?$ ]]; then
  user=${BASH_REMATCH[3]} password=${BASH_REMATCH[5]} host=${BASH_REMATCH[6]} port=${BASH_REMATCH[8]:-80}
  direct=$(tr ',' '\n' <<<"${no_proxy:-}" | sed -E 's/^ *\*?\./*./; s/ //g; /^$/d' | paste -sd '|')
  for scheme in http https; do
    printf -- '-D%s.proxyHost="%s"\n-D%s.proxyPort="%s"\n' $scheme "$host" $scheme "$port"
    [ -z "$user" ] || printf -- '-D%s.proxyUser="%s"\n-D%s.proxyPassword="%s"\n' $scheme "$user" $scheme "$password"
  done > $own/proxy.args
  printf -- '-Dhttp.nonProxyHosts="%s"\n' "localhost|127.*|[::1]${direct:+|$direct}" >> $own/proxy.args
  printf -- '-Daether.connector.http.useSystemProperties=true\n-Djdk.http.auth.tunneling.disabledSchemes=\n' >> $own/proxy.args
  proxied=@$own/proxy.args
fi

# distribution URL [SHA256]: downloads and unpacks a build tool as its wrapper would; $distribution is its folder.
# A wrapper's own script would need its execute bit, its jar and its line ends to have survived the repository.
distribution() {
  local url=$1 part
  local folder=/cache/tools/$(sha256sum <<<"$url" | cut -c1-32)
  if [ ! -d "$folder" ]; then
    mkdir -p /cache/tools
    part=$(mktemp -d /cache/tools/part.XXXXXX)
    echo "Downloading $url"
    curl --fail --silent --show-error --location --retry 2 ${NETRC:+--netrc-file "$NETRC"} \
      ${MVNW_USERNAME:+--user "$MVNW_USERNAME:$MVNW_PASSWORD"} --output "$part/tool.zip" "$url"
    [ -z "${2:-}" ] || sha256sum --check --quiet <<<"$2  $part/tool.zip"
    unzip -q "$part/tool.zip" -d "$part/tool"
    mv --no-target-directory "$part/tool" "$folder" || [ -d "$folder" ]  # another build was as fast
    rm -rf "$part"
  fi
  distribution=$(echo "$folder"/*/)
}

# maven PROGRAM ARGUMENT...: builds without tests, with locks around the repository that all builds share, and dates
# nothing.
maven() {
  local program=$1 settings=()
  shift
  [ ! -f "${NUCLEO_MAVEN_SETTINGS:-}" ] || settings=(--global-settings "$NUCLEO_MAVEN_SETTINGS")
  [ ! -f "${NUCLEO_MAVEN_SECURITY:-}" ] || settings+=("-Dsettings.security=$NUCLEO_MAVEN_SECURITY")
  MAVEN_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 $proxied" "$program" --batch-mode --no-transfer-progress \
    "${settings[@]}" -Dstyle.color=never -Dmaven.repo.local=/cache/m2 \
    -Daether.syncContext.named.factory=file-lock -Daether.syncContext.named.nameMapper=file-gav \
    -Dproject.build.outputTimestamp=1980-02-01T00:00:00Z -Dmaven.gitcommitid.skip=true "$@"
}

# gradle PROGRAM ARGUMENT...: one build at a time, for its locks of a shared cache do not work between containers.
gradle() {
  mkdir -p /cache/gradle
  exec 8> /cache/gradle.lock
  flock 8
  rm -f /cache/gradle/gradle.properties
  if [ -f "${NUCLEO_GRADLE_PROPERTIES:-}" ]; then
    # A link out of the cache: what is in it belongs to this machine's user. Its JDK is not the one that is here.
    grep -v '^ *org\.gradle\.java\.home' "$NUCLEO_GRADLE_PROPERTIES" > $own/gradle.properties || true
    ln -s $own/gradle.properties /cache/gradle/gradle.properties
  fi
  GRADLE_USER_HOME=/cache/gradle GRADLE_OPTS="$proxied" "$@" --no-daemon --console=plain \
    --build-cache --init-script $scripts/init.gradle -Porg.gradle.java.installations.auto-download=false
}
