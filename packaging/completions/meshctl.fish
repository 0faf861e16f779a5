# fish completion for meshctl
function __meshctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] completion words -- $words[2..-1] 2>/dev/null)
        if test "$line" = //files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c meshctl -f -a '(__meshctl_complete)'
