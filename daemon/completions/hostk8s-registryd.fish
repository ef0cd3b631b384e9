# Completion of hostk8s-registryd for fish. Resources are those that the running daemon has.
function __hostk8s_registryd_resources
    set -l words (commandline -opc)
    set -l file
    if set -l at (contains -i -- -c $words; or contains -i -- --config $words)
        set file -c (string replace -r '^~' $HOME $words[(math $at + 1)])
    end
    $words[1] $file status --json 2>/dev/null | string replace -fr '.*"resource": "([^"]*)".*' '$1'
end

complete -c hostk8s-registryd -f
complete -c hostk8s-registryd -s c -l config -rF -d 'Configuration'
complete -c hostk8s-registryd -s l -l log-level -x -a 'debug info notice warning error' -d 'Log level'
complete -c hostk8s-registryd -s h -l help -d 'Print the commands and options'
complete -c hostk8s-registryd -s V -l version -d 'Print the version'

set -l commands run check plan apply status doctor usage gc teardown
set -l about 'Stay and keep everything converged' 'Check the configuration' 'Print what would change' \
    'Converge once' 'Print what the running daemon sees' 'Prove the whole way by using it' \
    'Print what the storage holds' 'Free what nothing refers to' 'Remove what is owned'
for i in (seq (count $commands))
    complete -c hostk8s-registryd -n "not __fish_seen_subcommand_from $commands" -a $commands[$i] -d $about[$i]
end

complete -c hostk8s-registryd -n '__fish_seen_subcommand_from check' -l print -d 'Print the effective configuration'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from check' -l schema -d 'Print the JSON Schema'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from plan status doctor usage' -l json -d 'Print JSON'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from apply doctor teardown' -l timeout -x -d 'Give up after it'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from status' -l watch -d 'Print it whenever it changes'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from status' -a '(__hostk8s_registryd_resources)' -d Resource
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from gc' -l dry-run -d 'List alone'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from gc' -l keep -x -d 'Newest tags to keep'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from gc' -l all -d 'Of all repositories'
complete -c hostk8s-registryd -n '__fish_seen_subcommand_from gc teardown' -l yes -d 'Do not ask'
