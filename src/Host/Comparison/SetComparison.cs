using System.Globalization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;

namespace RepNoise.Host.Comparison;

/// <summary>Two sets of tensors, compared by name in the order of the first.</summary>
internal sealed class SetComparison
{
    private readonly List<TensorComparison> comparisons = [];
    private readonly TensorSet a;
    private readonly TensorSet b;
    private readonly bool hasTolerance;

    /// <param name="a">The set whose order counts.</param>
    /// <param name="b">The set that relative differences refer to.</param>
    /// <param name="rtol">Allowed share of the second value.</param>
    /// <param name="atol">Allowed difference beside it.</param>
    /// <param name="stop">Ends the comparison.</param>
    public SetComparison(TensorSet a, TensorSet b, double rtol, double atol, CancellationToken stop)
    {
        (this.a, this.b, hasTolerance) = (a, b, rtol > 0 || atol > 0);
        foreach (var tensor in a.Tensors)
        {
            stop.ThrowIfCancellationRequested();
            comparisons.Add(TensorComparison.Of(tensor, b.Find(tensor.Key), rtol, atol));
        }

        comparisons.AddRange(b.Tensors.Where(tensor => a.Find(tensor.Key) is null).Select(tensor => TensorComparison.Of(null, tensor, rtol, atol)));
    }

    public IReadOnlyList<TensorComparison> Comparisons => comparisons;

    public bool Differs => comparisons.Any(comparison => comparison.Differs);

    /// <summary>Writes the first difference, a table of the tensors that differ and a line of totals.</summary>
    /// <param name="writer">Takes the text.</param>
    /// <param name="rows">Most rows of the table.</param>
    public void WriteTo(TextWriter writer, int rows)
    {
        var differing = comparisons.Where(comparison => comparison.Differs).ToList();
        if (differing.Count > 0)
        {
            WriteFirst(writer, differing[0]);
            writer.WriteLine();
            TextTable.Write(writer, [.. differing.Take(rows).Select(Row).Prepend(Header)], column => column >= 3);
            if (differing.Count > rows) writer.WriteLine($"... and {differing.Count - rows} more; --rows shows more of them");
            writer.WriteLine();
        }

        int bits = comparisons.Count(comparison => comparison.SameBits), equal = comparisons.Count - differing.Count - bits;
        string others = hasTolerance ? "within the tolerance" : "but for the sign of a zero, the payload of a NaN or the number type";
        writer.WriteLine(
            $"{differing.Count} of {comparisons.Count} tensors differ; {bits} are equal to the bit{(equal > 0 ? $", {equal} {others}" : "")}.");
    }

    private static string[] Header => ["tensor", "dtype", "shape", "differing", "max abs", "max rel", "max ulp", "first at"];

    private void WriteFirst(TextWriter writer, TensorComparison first)
    {
        writer.WriteLine($"first difference: {Quoted.Plain(first.Key)}");
        if (first.A is null || first.B is null)
        {
            writer.WriteLine($"  only {(first.A is null ? b.Path : a.Path)} has it");
            return;
        }

        if (first.First is not { } element)
        {
            writer.WriteLine($"  shape {TensorEntry.Print(first.A.Entry.Shape)} in {a.Path}, {TensorEntry.Print(first.B.Entry.Shape)} in {b.Path}");
            return;
        }

        string place = first.Place(element.Element);
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"  {first.Entry.DType.Name()} {TensorEntry.Print(first.Entry.Shape)}, element {element.Element}{(place.Length > 0 ? $" ({place})" : "")}"));
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  A {Value(element.A, first.A)}   B {Value(element.B, first.B)}"));
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"  apart by {element.Absolute:0.0##e-00}, relative {element.Relative:0.0##e-00}{(element.Ulps is { } ulps ? $", {ulps:0} ulp" : "")}"));
    }

    /// <summary>The shortest text that reads back to the same number of the tensor's type.</summary>
    private static string Value(double value, ComparedTensor tensor) => tensor.Entry.DType is DType.F64
        ? value.ToString("R", CultureInfo.InvariantCulture)
        : ((float)value).ToString("R", CultureInfo.InvariantCulture);

    private static string[] Row(TensorComparison row)
    {
        string type = row.A is { } a && row.B is { } b && a.Entry.DType != b.Entry.DType
            ? $"{a.Entry.DType.Name()}/{b.Entry.DType.Name()}" : row.Entry.DType.Name();
        string[] start = [Quoted.Plain(row.Key), type, TensorEntry.Print(row.Entry.Shape)];
        if (row.First is not { } first || row.Worst is not { } worst)
            return [.. start, row.A is null ? "only in B" : row.B is null ? "only in A" : "other shape", "", "", "", ""];
        var culture = CultureInfo.InvariantCulture;
        string place = row.Place(first.Element);
        return
        [
            .. start, string.Create(culture, $"{row.Differing:#,0} of {row.Entry.Count:#,0}"), worst.Absolute.ToString("0.0e-00", culture),
            row.LargestRelative.ToString("0.0e-00", culture), row.LargestUlps?.ToString("0", culture) ?? "-",
            place.Length > 0 ? place : first.Element.ToString(culture),
        ];
    }
}
