using System.Globalization;
using System.Text.Json;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>Compares defence, attack and test data with each other.</summary>
internal static class OverlapHandler
{
    private const int ShownCharacters = 80;

    public static int Run(OverlapOptions options, Terminal terminal, CancellationToken stop)
    {
        var sets = new[] { Set("defence", options.Defence), Set("attack", options.Attack), Set("test", options.Test) }.Where(set => set.Texts.Count > 0).ToList();
        var results = new List<OverlapResult>();
        for (int a = 0; a < sets.Count; a++)
        {
            for (int b = a + 1; b < sets.Count; b++)
                results.Add(Overlap.Compare(sets[a].Name, sets[a].Texts, sets[b].Name, sets[b].Texts, options.Similarity, stop));
        }

        if (options.Output is { } path) File.WriteAllText(path, JsonSerializer.Serialize(results, EvaluationResults.Json) + "\n");
        Write(terminal.Out, results, options.Examples);
        return ExitCodes.Done;

        (string Name, IReadOnlyList<OverlapText> Texts) Set(string name, IReadOnlyList<string> files) =>
            (name, [.. files.SelectMany(file => Overlap.Read(file, options.Field))]);
    }

    private static void Write(TextWriter writer, List<OverlapResult> results, int examples)
    {
        TextTable.Write(writer, [["in", "texts", "also in", "exact", "near"], .. results.Select(result => new[]
        {
            result.B, Text($"{result.TextsB:#,0}"), result.A, Text($"{result.Exact:#,0}"), Text($"{result.Near:#,0}"),
        })], column => column is 1 or 3 or 4);
        foreach (var result in results.Where(result => result.Pairs.Count > 0 && examples > 0))
        {
            writer.WriteLine($"\n{result.B} in {result.A}:");
            foreach (var pair in result.Pairs.Take(examples)) writer.WriteLine(Text($"  {pair.B} = {pair.A}  ({pair.Reason} {pair.Similarity:0.00})  {Shown(pair.Text)}"));
            if (result.Pairs.Count > examples) writer.WriteLine($"  ... and {result.Pairs.Count - examples} more; --examples shows more of them");
        }
    }

    private static string Shown(string text)
    {
        string line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= ShownCharacters ? line : line[..(ShownCharacters - 3)] + "...";
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
