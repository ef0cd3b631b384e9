# Completion of hostk8s-registryd for bash. Resources are those that the running daemon has.
_hostk8s_registryd() {
    local current=${COMP_WORDS[COMP_CWORD]} command='' file=() i
    local names='' options='-c --config -l --log-level -h --help -V --version'
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) file=(-c "${COMP_WORDS[++i]/#\~/$HOME}") ;;
        -l | --log-level | --timeout | --keep) ((++i)) ;;
        -*) ;;
        *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done
    case $command in
    '') names='run check plan apply status doctor usage gc teardown' ;;
    check) options+=' --print --schema' ;;
    plan | usage) options+=' --json' ;;
    apply) options+=' --timeout' ;;
    status)
        options+=' --json --watch'
        names=$("${COMP_WORDS[0]}" "${file[@]}" status --json 2>/dev/null | sed -n 's/.*"resource": "\([^"]*\)".*/\1/p')
        ;;
    doctor) options+=' --json --timeout' ;;
    gc) options+=' --dry-run --keep --all --yes' ;;
    teardown) options+=' --yes --timeout' ;;
    esac
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    -c | --config)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    -l | --log-level) names='debug info notice warning error' ;;
    --timeout | --keep) names='' ;;
    *) [[ $current != -* ]] || names=$options ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
}
complete -F _hostk8s_registryd hostk8s-registryd
