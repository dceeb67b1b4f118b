from knarr.cli.cli import Cli
from knarr.cli.command import command
from knarr.errors import InvalidArgument

BASH = r"""# bash completion for knarr: source <(knarr completion bash)
_knarr() {
    local current="${COMP_WORDS[COMP_CWORD]}" line
    local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
    # Bash takes "image:tag" and "--flag=value" apart; put together what was typed as one word.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cword
        _get_comp_words_by_ref -n := -c current -w words -i cword
        words=("${words[@]:1:cword-1}")
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default
            return
        fi
        COMPREPLY+=("${line%%$'\t'*}")
    done < <(knarr __complete "${words[@]}" "$current" 2>/dev/null)
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$current"
    fi
}
complete -F _knarr knarr
"""

ZSH = r"""#compdef knarr
# zsh completion for knarr: source <(knarr completion zsh), or a file _knarr in $fpath
_knarr() {
    local line
    local -a found before
    before=("${(@)words[2,CURRENT-1]}")
    for line in "${(@f)$(knarr __complete "${before[@]}" "${words[CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        if [[ $line == :files ]]; then
            _files
            return
        fi
        local name="${line%%$'\t'*}" told="${line#*$'\t'}"
        name="${name//:/\\:}"
        if [[ $line == *$'\t'* ]]; then found+=("$name:$told"); else found+=("$name"); fi
    done
    _describe 'knarr' found
}
compdef _knarr knarr
if [[ $funcstack[1] == _knarr ]]; then _knarr "$@"; fi
"""

FISH = r"""# fish completion for knarr: knarr completion fish | source
function __knarr_complete
    set -l words (commandline -opc)
    set -l found (knarr __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path (commandline -ct)
        return
    end
    printf '%s\n' $found
end
complete -c knarr -f -a '(__knarr_complete)'
"""

SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@command("completion", usage="SHELL")
def completion(cli: Cli, shell: str) -> None:
    """Print the completion script of a shell: bash, zsh or fish"""
    script = SHELLS.get(shell)
    if script is None:
        raise InvalidArgument(f'no completion for "{shell}": knarr has bash, zsh and fish')
    cli.out.write(script)
