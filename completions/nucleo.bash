# bash completion for nucleo; made by `nucleo completion bash`
_nucleo() {
  local word="${COMP_WORDS[COMP_CWORD]}" path="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${COMP_WORDS[i]}" in
      " init"|" validate"|" plan"|" build"|" deploy"|" releases"|" rollback"|" ps"|" scale"|" restart"|" logs"|" run"|" exec"|" open"|" metrics"|" config"|" config list"|" config get"|" config set"|" config unset"|" network"|" network show"|" network explain"|" network flows"|" network top"|" network learn"|" network test"|" network install"|" network uninstall"|" apps"|" platforms"|" platforms list"|" platforms show"|" destroy"|" doctor"|" cluster"|" cluster up"|" cluster down"|" cluster status"|" cluster use"|" cluster configure"|" completion"|" version") path="$path ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
    "") words="init validate plan build deploy releases rollback ps scale restart logs run exec open metrics config network apps platforms destroy doctor cluster completion version --help --version" ;;
    " init") words="--app --directory --env --help --json --no-color --no-input --platform --quiet --timeout" ;;
    " validate") words="--app --directory --env --help --json --no-color --no-input --quiet --schema --timeout" ;;
    " plan") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " build") words="--app --directory --env --help --json --no-cache --no-color --no-input --quiet --shell --timeout" ;;
    " deploy") words="--accept-drops --app --directory --env --help --json --no-cache --no-color --no-input --quiet --timeout --wait-lock" ;;
    " releases") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " rollback") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout --wait-lock" ;;
    " ps") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " scale") words="--app --confirm --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " restart") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " logs") words="--app --directory --env --follow --help --json --no-color --no-input --previous --quiet --raw --since --tail --timeout --timestamps" ;;
    " run") words="--app --directory --env --help --json --no-color --no-input --no-tty --process --quiet --timeout" ;;
    " exec") words="--app --directory --env --help --json --no-color --no-input --no-tty --pod --process --quiet --timeout" ;;
    " open") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " metrics") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout --watch" ;;
    " config") words="list get set unset --help" ;;
    " config list") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " config get") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " config set") words="--app --directory --env --help --json --no-color --no-input --quiet --secret --timeout" ;;
    " config unset") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network") words="show explain flows top learn test install uninstall --help" ;;
    " network show") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network explain") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network flows") words="--app --directory --dropped --env --follow --help --json --no-color --no-input --quiet --release --since --timeout --to" ;;
    " network top") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network learn") words="--app --directory --env --help --json --no-color --no-input --quiet --since --timeout --write" ;;
    " network test") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network install") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " network uninstall") words="--app --confirm --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " apps") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " platforms") words="list show --help" ;;
    " platforms list") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " platforms show") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " destroy") words="--app --confirm --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " doctor") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " cluster") words="up down status use configure --help" ;;
    " cluster up") words="--app --directory --env --help --json --name --no-color --no-input --quiet --timeout" ;;
    " cluster down") words="--app --confirm --directory --env --help --json --name --no-color --no-input --quiet --timeout" ;;
    " cluster status") words="--app --directory --env --follow --help --json --logs --name --no-color --no-input --quiet --tail --timeout" ;;
    " cluster use") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " cluster configure") words="--app --architectures --base-domain --directory --dns --dns-credentials --dns-zones --edge-addresses --env --gateway --help --http-port --https-port --ingress-class --ingress-from --issuer --json --network --no-color --no-input --platform-images --quiet --registry --registry-pull --routes --sysctls --timeout" ;;
    " completion") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
    " version") words="--app --directory --env --help --json --no-color --no-input --quiet --timeout" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _nucleo nucleo
