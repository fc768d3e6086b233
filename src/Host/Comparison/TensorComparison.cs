using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Comparison;

/// <summary>Two elements at one place that are further apart than allowed.</summary>
/// <param name="Element">Number of the element in row-major order.</param>
/// <param name="A">The first set's value.</param>
/// <param name="B">The second set's.</param>
/// <param name="Ulps">Distance in units in the last place, or null where the types differ or have none.</param>
internal readonly record struct ElementDifference(long Element, double A, double B, double? Ulps)
{
    public double Absolute => Math.Abs(A - B);

    /// <summary>Share of the second value; infinite where that is 0.</summary>
    public double Relative => Absolute / Math.Abs(B);
}

/// <summary>How one tensor of two sets compares.</summary>
/// <param name="A">The first set's tensor, or null where it lacks it.</param>
/// <param name="B">The second set's.</param>
internal sealed record TensorComparison(ComparedTensor? A, ComparedTensor? B)
{
    private const int Chunk = 1 << 20;

    public string Key => (A ?? B)!.Key;

    public TensorEntry Entry => (A ?? B)!.Entry;

    public bool SameShape => A is not null && B is not null && A.Entry.Shape.SequenceEqual(B.Entry.Shape);

    /// <summary>Same type, shape and bits.</summary>
    public bool SameBits { get; private set; }

    /// <summary>Elements further apart than allowed.</summary>
    public long Differing { get; private set; }

    public ElementDifference? First { get; private set; }

    /// <summary>The element with the largest absolute difference; NaN against a number counts as largest.</summary>
    public ElementDifference? Worst { get; private set; }

    public double LargestRelative { get; private set; }

    public double? LargestUlps { get; private set; }

    public bool Differs => !SameShape || Differing > 0;

    /// <summary>Compares all elements: allowed is |a - b| up to <paramref name="atol"/> + <paramref name="rtol"/> |b|, or NaN in both.</summary>
    public static TensorComparison Of(ComparedTensor? a, ComparedTensor? b, double rtol, double atol)
    {
        var result = new TensorComparison(a, b);
        if (!result.SameShape) return result;
        bool sameType = a!.Entry.DType == b!.Entry.DType;
        result.SameBits = sameType && EqualBits(a, b);
        if (!result.SameBits) result.CompareValues(a, b, rtol, atol, sameType && Ulps.Has(a.Entry.DType) ? a.Entry.DType : null);
        return result;
    }

    /// <summary>An element's place as people count: (row, column), or all its indices; empty for a vector.</summary>
    public string Place(long element)
    {
        var shape = Entry.Shape;
        if (shape.Count < 2) return "";
        var indices = new long[shape.Count];
        for (int d = shape.Count - 1; d >= 0; d--) (element, indices[d]) = Math.DivRem(element, shape[d]);
        return shape.Count == 2 ? $"row {indices[0]}, column {indices[1]}" : "[" + string.Join(", ", indices) + "]";
    }

    private static bool EqualBits(ComparedTensor a, ComparedTensor b)
    {
        for (long offset = 0; offset < a.Entry.ByteLength; offset += Chunk)
        {
            int count = (int)Math.Min(Chunk, a.Entry.ByteLength - offset);
            if (!a.File.Bytes(a.Entry.Name, offset, count).SequenceEqual(b.File.Bytes(b.Entry.Name, offset, count))) return false;
        }

        return true;
    }

    private void CompareValues(ComparedTensor a, ComparedTensor b, double rtol, double atol, DType? type)
    {
        int chunk = (int)Math.Min(Chunk, a.Entry.Count);
        var (left, right) = (new double[chunk], new double[chunk]);
        for (long offset = 0; offset < a.Entry.Count; offset += chunk)
        {
            int count = (int)Math.Min(chunk, a.Entry.Count - offset);
            a.File.ReadInto(a.Entry.Name, offset, left.AsSpan(0, count));
            b.File.ReadInto(b.Entry.Name, offset, right.AsSpan(0, count));
            for (int i = 0; i < count; i++)
            {
                if (!Agree(left[i], right[i], rtol, atol)) Note(offset + i, left[i], right[i], type);
            }
        }
    }

    private static bool Agree(double a, double b, double rtol, double atol) =>
        a.Equals(b) || a == b || Math.Abs(a - b) <= atol + rtol * Math.Abs(b);

    private void Note(long element, double a, double b, DType? type)
    {
        var difference = new ElementDifference(element, a, b, type is { } t ? Ulps.Between(a, b, t) : null);
        Differing++;
        First ??= difference;
        if (Worst is not { } worst || Size(difference.Absolute) > Size(worst.Absolute)) Worst = difference;
        LargestRelative = Math.Max(LargestRelative, Size(difference.Relative));
        if (difference.Ulps is { } ulps) LargestUlps = Math.Max(LargestUlps ?? 0, ulps);
    }

    private static double Size(double difference) => double.IsNaN(difference) ? double.PositiveInfinity : difference;
}
