namespace RepNoise.Host.Tokenizers.Patterns;

internal enum Opcode : byte
{
    /// <summary>Consume the code point <c>A</c>.</summary>
    Literal,

    /// <summary>Consume one code point of <c>Set</c>.</summary>
    One,

    /// <summary>Consume <c>A</c> to <c>B</c> code points of <c>Set</c> (-1: no limit), as <c>Greed</c> says.</summary>
    Run,

    /// <summary>Go on at <c>A</c>; at <c>B</c> if that fails.</summary>
    Fork,

    /// <summary>Go on at <c>A</c>.</summary>
    Jump,

    /// <summary>The code behind this instruction, up to its Accept, must match here and consumes nothing; go on at <c>A</c>.</summary>
    Look,

    /// <summary>The same, must not match.</summary>
    LookNot,

    /// <summary>The code behind this instruction, up to its Accept, matches once and is not tried again; go on at <c>A</c>.</summary>
    Atomic,

    /// <summary>The position satisfies the anchor <c>A</c>.</summary>
    Anchor,

    Accept,
}

internal readonly record struct Instruction(Opcode Op, int A = 0, int B = 0, CodePointSet? Set = null, Greed Greed = Greed.Greedy);

/// <summary>Flattens a pattern's tree into instructions for a backtracking machine.</summary>
internal sealed class RegexCompiler
{
    /// <summary>
    /// Counted groups are written out; this bounds what {n,m} inside {n,m} can grow to. The patterns of published tokenizers take some
    /// hundred.
    /// </summary>
    private const int MaxInstructions = 1 << 12;

    private readonly List<Instruction> code = [];

    /// <exception cref="RegexSyntaxException">The program would be too large.</exception>
    public static Instruction[] Compile(RegexNode root)
    {
        var compiler = new RegexCompiler();
        compiler.Emit(root);
        compiler.Add(new Instruction(Opcode.Accept));
        return [.. compiler.code];
    }

    private int Add(Instruction instruction)
    {
        if (code.Count >= MaxInstructions)
            throw new RegexSyntaxException($"the pattern grows beyond {MaxInstructions} instructions", "smaller counts in {n,m}");
        code.Add(instruction);
        return code.Count - 1;
    }

    private void Emit(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Literal literal:
                Add(new Instruction(Opcode.Literal, literal.Value));
                break;
            case RegexNode.One one:
                Add(new Instruction(Opcode.One, Set: one.Set));
                break;
            case RegexNode.At at:
                Add(new Instruction(Opcode.Anchor, (int)at.Anchor));
                break;
            case RegexNode.Sequence sequence:
                foreach (var item in sequence.Items)
                    Emit(item);
                break;
            case RegexNode.Choice choice:
                EmitChoice(choice.Branches);
                break;
            case RegexNode.Look look:
                EmitEnclosed(look.Negative ? Opcode.LookNot : Opcode.Look, look.Body);
                break;
            case RegexNode.Atomic atomic:
                EmitEnclosed(Opcode.Atomic, atomic.Body);
                break;
            case RegexNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            default:
                throw new InvalidOperationException($"unknown node {node.GetType().Name}");
        }
    }

    private void EmitChoice(IReadOnlyList<RegexNode> branches)
    {
        var jumps = new List<int>();
        for (int i = 0; i < branches.Count - 1; i++)
        {
            int fork = Add(new Instruction(Opcode.Fork));
            Emit(branches[i]);
            jumps.Add(Add(new Instruction(Opcode.Jump)));
            code[fork] = new Instruction(Opcode.Fork, fork + 1, code.Count);
        }
        Emit(branches[^1]);
        foreach (int jump in jumps)
            code[jump] = new Instruction(Opcode.Jump, code.Count);
    }

    private void EmitEnclosed(Opcode op, RegexNode body)
    {
        int start = Add(new Instruction(op));
        Emit(body);
        Add(new Instruction(Opcode.Accept));
        code[start] = new Instruction(op, code.Count);
    }

    private void EmitRepeat(RegexNode.Repeat repeat)
    {
        var set = repeat.Body switch
        {
            RegexNode.One one => one.Set,
            RegexNode.Literal literal => CodePointSet.Of(literal.Value),
            _ => null,
        };
        if (set is not null)
            Add(new Instruction(Opcode.Run, repeat.Min, repeat.Max, set, repeat.Greed));
        else if (repeat.Greed == Greed.Possessive)
            EmitEnclosed(Opcode.Atomic, repeat with { Greed = Greed.Greedy });
        else
            EmitGroupRepeat(repeat);
    }

    private void EmitGroupRepeat(RegexNode.Repeat repeat)
    {
        for (int i = 0; i < repeat.Min; i++)
            Emit(repeat.Body);
        var forks = new List<int>();
        if (repeat.Max < 0)
        {
            forks.Add(Add(new Instruction(Opcode.Fork)));
            Emit(repeat.Body);
            Add(new Instruction(Opcode.Jump, forks[0]));
        }
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            forks.Add(Add(new Instruction(Opcode.Fork)));
            Emit(repeat.Body);
        }
        foreach (int fork in forks)
        {
            code[fork] = repeat.Greed == Greed.Lazy
                ? new Instruction(Opcode.Fork, code.Count, fork + 1)
                : new Instruction(Opcode.Fork, fork + 1, code.Count);
        }
    }
}
