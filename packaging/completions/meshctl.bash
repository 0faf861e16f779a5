# bash completion for meshctl
_meshctl() {
    local IFS=$'\n' line words
    COMPREPLY=()
    words=$("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    for line in $words; do
        if [ "$line" = "//files" ]; then
            compopt -o filenames 2>/dev/null
            COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done
}
complete -F _meshctl meshctl
