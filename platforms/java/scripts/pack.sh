# pack.sh FOLDER [MAIN-CLASS]: makes /opt/app of what a build left below FOLDER. /opt/app/lib gets the libraries, which
# rarely change, /opt/app the rest: app.jar, which names them in its manifest.
set -euo pipefail
export TZ=UTC LC_ALL=C.UTF-8
to=/opt/app
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf $to/* && mkdir -p $to/lib
root=$PWD
cd "$1"
main=${2:-}

fail() { printf 'nucleo: %s\n' "$@" >&2; exit 1; }

# attribute NAME: of the manifest on standard input, whose long lines are folded.
attribute() { tr -d '\r' | sed -z 's/\n //g' | sed -n "s/^$1: *//p" | head -1; }

manifest() { unzip -p "$1" META-INF/MANIFEST.MF 2>/dev/null || true; }

# unpack JAR FOLDER [PATTERN...]: a script in front of a jar makes unzip say 1.
unpack() { unzip -qq -o "$1" -d "$2" "${@:3}" || [ $? = 1 ]; }

# jar FOLDER FILE: the same bytes for the same content. Not compressed: the layer is.
jar() (
  cd "$1"
  find . -type f -exec chmod 644 {} + -exec touch -d @318211200 {} +
  { [ ! -f META-INF/MANIFEST.MF ] || echo META-INF/MANIFEST.MF; find . -type f -printf '%P\n' | LC_ALL=C sort; } |
    zip -q -X -D -0 "$2" -@
)

# same JAR FILE: a copy of a jar that this build made, without dates.
same() { mkdir "$work/same"; unpack "$1" "$work/same"; rm -f "$2"; jar "$work/same" "$2"; rm -rf "$work/same"; }

# library JAR: into lib, or beside app.jar where it is a module of the app; prints its path from /opt/app.
library() {
  local name=${1##*/}
  if [[ $made == *"/$name"$'\n'* ]]; then
    mkdir -p $to/modules
    same "$1" "$to/modules/$name"
    echo "modules/$name"
  else
    cp "$1" "$to/lib/$name"
    echo "lib/$name"
  fi
}

# write_manifest MAIN-CLASS < OLD: with the class path of the file $work/path, lines folded at 72 bytes.
write_manifest() {
  tr -d '\r' | sed -z 's/\n //g' | sed '/^$/,$d' | grep -vE '^(Main-Class|Start-Class|Class-Path|Spring-Boot-[A-Za-z-]*):' || true
  echo "Main-Class: $1"
  [ ! -s "$work/path" ] || echo "Class-Path: $(paste -sd ' ' "$work/path")" | fold -b -w 70 | sed '2,$s/^/ /'
  echo
}

finish() {  # finish MAIN-CLASS: app.jar of $work/app
  mkdir -p "$work/app/META-INF"
  { cat "$work/app/META-INF/MANIFEST.MF" 2>/dev/null || echo 'Manifest-Version: 1.0'; } > "$work/old"
  write_manifest "$1" < "$work/old" > "$work/app/META-INF/MANIFEST.MF"
  jar "$work/app" $to/app.jar
}

spring_boot() {  # spring_boot JAR: its libraries in the order of its index, its classes as a plain jar
  local start
  start=$(manifest "$1" | attribute Start-Class)
  unpack "$1" "$work/boot"
  if [ -f "$work/boot/BOOT-INF/classpath.idx" ]; then
    sed -n 's/^- "\(.*\)"$/\1/p' "$work/boot/BOOT-INF/classpath.idx"
  else
    (cd "$work/boot" && ls BOOT-INF/lib/*.jar)
  fi | grep -v /spring-boot-jarmode- > "$work/index"
  while read -r path; do library "$work/boot/$path"; done < "$work/index" > "$work/path"
  mv "$work/boot/BOOT-INF/classes" "$work/app"
  # META-INF beside BOOT-INF has the manifest and Maven's files; what the app itself has there wins.
  mkdir -p "$work/app/META-INF"
  (cd "$work/boot/META-INF" && tar -cf - .) | tar -xf - -C "$work/app/META-INF" --skip-old-files
  # Spring Boot's loader, which is not used, registers itself: what it names is not there.
  grep -rlsF org.springframework.boot.loader. "$work/app/META-INF/services" | xargs -r rm || true
  finish "$start"
}

thin() {  # thin JAR MAIN-CLASS: a plain jar; the libraries that its manifest names, else those that were copied
  local entry found
  unpack "$1" "$work/app"
  for entry in $(manifest "$1" | attribute Class-Path); do
    found=$(find "${1%/*}" -maxdepth 3 -name "${entry##*/}" -type f -print -quit)
    [ -z "$found" ] || library "$found"
  done > "$work/path"
  if [ ! -s "$work/path" ] && [ -d "${1%/*}/dependency" ]; then
    for found in "${1%/*}"/dependency/*.jar; do [ ! -f "$found" ] || library "$found"; done > "$work/path"
  fi
  if [ ! -s "$work/path" ]; then split "$1"; fi
  finish "$2"
}

split() {  # split JAR: what did not come from the app's own classes is a library of its own, in a jar that holds all
  local classes
  find "$root" -type d \( -path '*/target/classes' -o -path '*/build/classes/*/main' -o -path '*/build/resources/main' \) \
    > "$work/classes"
  while read -r classes; do find "$classes" -type f -printf '%P\n'; done < "$work/classes" | sort -u > "$work/own"
  [ -s "$work/own" ] || return 0
  (cd "$work/app" && find . -type f -printf '%P\n') | sort > "$work/all"
  comm -13 "$work/own" "$work/all" | grep -vxF META-INF/MANIFEST.MF > "$work/others" || true
  grep -q '\.class$' "$work/others" || return 0
  mkdir -p "$work/lib/META-INF"
  cp "$work/app/META-INF/MANIFEST.MF" "$work/lib/META-INF/"  # it says whether the classes are multi-release
  (cd "$work/app" && tar -cf - -T "$work/others" && xargs -d '\n' rm -f < "$work/others") | tar -xf - -C "$work/lib"
  jar "$work/lib" $to/lib/libraries.jar
  echo lib/libraries.jar > "$work/path"
}

quarkus() {  # quarkus FOLDER: its fast-jar layout as it is, its own jars without dates
  local jar
  cp -r "$1/." $to/
  find $to/app $to/quarkus $to/quarkus-run.jar -name '*.jar' > "$work/jars"
  while read -r jar; do same "$jar" "$jar"; done < "$work/jars"
  mv $to/quarkus-run.jar $to/app.jar
}

# application FOLDER: what installDist of Gradle made; its start script knows the main class and the JVM's options.
application() {
  local script main own_jar
  script=$(find "$1/bin" -type f ! -name '*.bat' | head -1)
  main=$(tr -d '\r' < "$script" | sed -nE 's/^ +([A-Za-z_][A-Za-z0-9_.$]*) \\$/\1/p; s/.*-classpath "\\"\$CLASSPATH\\"" ([A-Za-z0-9_.$]+) .*/\1/p' | tail -1)
  [ -n "$main" ] || fail "$script names no main class"
  sed -nE "s/^DEFAULT_JVM_OPTS='(.*)'\$/\1/p" "$script" | grep -o '"[^"]*"' > $to/jvm.args || true
  for jar in $(sed -nE 's/^CLASSPATH=//p' "$script" | tr -d '"\\' | tr ':' '\n' | sed 's|.*/||'); do
    library "$1/lib/$jar"
  done > "$work/path"
  mkdir -p "$work/app"
  finish "$main"
}

candidates() {
  find . -path "*/$produced/*" \( -name '*.jar' -o -name '*.war' \) -type f | grep -E "/$produced/[^/]+\$" |
    grep -vE -- '-(sources|javadoc|tests|test-sources|plain|test-fixtures)\.jar$|/original-[^/]*\.jar$' | sort || true
}

# executable: those of the jars on standard input that name a main class.
executable() { while read -r one; do [ -z "$(manifest "$one" | attribute Main-Class)" ] || echo "$one"; done; }

# best: a jar with everything in it wins over the one that it was made of.
best() {
  local all fat
  all=$(cat)
  fat=$(grep -E -- '-(jar-with-dependencies|shaded|all|fat|uber|runner|exec|boot)\.(jar|war)$' <<<"$all" || true)
  echo "${fat:-$all}"
}

if [ -d target ] || [ ! -d build ] && ! ls ./*/build/libs > /dev/null 2>&1; then produced=target; else produced=build/libs; fi

# The jars of the app's own modules; those that were copied beside them are one folder deeper.
made=$(find "$root" -path "*/$produced/*.jar" | grep -E "/$produced/[^/]+\$" || true)$'\n'
fast=$(find . -path '*/quarkus-app/quarkus-run.jar' | sort)
installed=$(find . -path '*/build/install/*/bin' -type d | sort)
all=$(candidates)
runnable=$(executable <<<"$all" | best)
case $(grep -c . <<<"$fast$installed") in
  0) ;;
  1) if [ -n "$fast" ]; then quarkus "${fast%/*}"; else application "${installed%/*}"; fi; exit ;;
  *) fail "several-apps: $(echo $fast $installed)" ;;
esac
[ -n "$all" ] || fail "no-jar: nothing was found in $produced"
if [ -z "$runnable" ]; then
  [ -n "$main" ] || fail "no-main-class: $(echo $all)"
  runnable=$(grep '\.jar$' <<<"$all")
fi
[ "$(grep -c . <<<"$runnable")" = 1 ] || fail "several-apps: $(echo $runnable)"
case $runnable in
  *.war) [ -n "$(manifest "$runnable" | attribute Main-Class)" ] || fail "no-main-class: $runnable"
         same "$runnable" $to/app.jar ;;
  *) found=$(manifest "$runnable" | attribute Main-Class)
     entries=$(unzip -Z1 "$runnable" || true)
     if [[ $entries == *BOOT-INF/classes/* ]]; then spring_boot "$runnable"; else thin "$runnable" "${found:-$main}"; fi ;;
esac
