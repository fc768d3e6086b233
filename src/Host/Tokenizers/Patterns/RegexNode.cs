namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>How a quantifier chooses: as much as possible, as little as possible, or as much as possible for good.</summary>
internal enum Greed : byte
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>A condition on a position that consumes nothing.</summary>
internal enum Anchor
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrFinalNewline,
    WordBoundary,
    NoWordBoundary,
}

/// <summary>A pattern as a tree, as the parser leaves it.</summary>
internal abstract record RegexNode
{
    /// <summary>Whether it can match without consuming anything.</summary>
    public abstract bool Nullable { get; }

    /// <summary>One code point out of a set.</summary>
    public sealed record One(CodePointSet Set) : RegexNode
    {
        public override bool Nullable => false;
    }

    /// <summary>One certain code point.</summary>
    public sealed record Literal(int Value) : RegexNode
    {
        public override bool Nullable => false;
    }

    public sealed record Sequence(IReadOnlyList<RegexNode> Items) : RegexNode
    {
        public override bool Nullable => Items.All(item => item.Nullable);
    }

    public sealed record Choice(IReadOnlyList<RegexNode> Branches) : RegexNode
    {
        public override bool Nullable => Branches.Any(branch => branch.Nullable);
    }

    /// <summary><paramref name="Body"/> from <paramref name="Min"/> to <paramref name="Max"/> times; -1 is no limit.</summary>
    public sealed record Repeat(RegexNode Body, int Min, int Max, Greed Greed) : RegexNode
    {
        public override bool Nullable => Min == 0 || Body.Nullable;
    }

    public sealed record Look(RegexNode Body, bool Negative) : RegexNode
    {
        public override bool Nullable => true;
    }

    /// <summary>A group that keeps its first match: <c>(?&gt;...)</c>.</summary>
    public sealed record Atomic(RegexNode Body) : RegexNode
    {
        public override bool Nullable => Body.Nullable;
    }

    public sealed record At(Anchor Anchor) : RegexNode
    {
        public override bool Nullable => true;
    }
}
