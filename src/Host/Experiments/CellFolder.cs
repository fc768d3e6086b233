using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Experiments;

/// <summary>
/// A cell on disk. It is made in <c>cells/.building-NAME</c> and renamed to <c>cells/NAME</c> once it is complete, its <c>results.json</c>
/// written last: a crash at any moment leaves cells that are whole, and at most one that is begun and goes on.
/// </summary>
internal sealed class CellFolder
{
    public const string CellsName = "cells", ResultsName = "results.json", IdentityName = "cell.json", ModelName = "model", ProbePrefix = "probe-",
        GenerationsPrefix = "generations-", LogName = "log.txt";

    private const string BuildingPrefix = ".building-", OldPrefix = ".old-";

    public static readonly JsonSerializerOptions Json = new(EvaluationResults.Json)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a broken model's perplexity may be infinite
    };

    private readonly string cells;
    private readonly string slug;

    /// <param name="output">The experiment's folder.</param>
    /// <param name="cell">The cell.</param>
    public CellFolder(string output, Cell cell) => (cells, slug) = (System.IO.Path.Combine(output, CellsName), cell.Slug);

    /// <summary>Its final place.</summary>
    public string Path => System.IO.Path.Combine(cells, slug);

    /// <summary>Where it is made.</summary>
    public string Building => System.IO.Path.Combine(cells, BuildingPrefix + slug);

    public string Model => System.IO.Path.Combine(Path, ModelName);

    /// <summary>The folder from the experiment's, with slashes.</summary>
    public string Relative => $"{CellsName}/{slug}";

    /// <summary>Its result where it is finished, or null.</summary>
    /// <exception cref="InputException">The folder is damaged.</exception>
    public CellResult? Result() => File.Exists(System.IO.Path.Combine(Path, ResultsName)) ? ReadResult(Path) : null;

    /// <summary>Why it has to be done, as a clause; null where it is finished as it is now described.</summary>
    /// <param name="identity">What the experiment says now.</param>
    public string? Reason(CellIdentity identity) => !File.Exists(System.IO.Path.Combine(Path, ResultsName)) ? "new" : identity.ChangeFrom(ReadFacts(Path));

    /// <summary>Takes up the folder that an interrupted process began, or begins it.</summary>
    /// <returns>True where it was complete and only had to be renamed.</returns>
    public bool Begin(CellIdentity identity)
    {
        string facts = System.IO.Path.Combine(Building, IdentityName);
        if (Directory.Exists(Building) && (!File.Exists(facts) || identity.ChangeFrom(ReadFacts(Building)) is not null)) Directory.Delete(Building, recursive: true);
        if (File.Exists(System.IO.Path.Combine(Building, ResultsName)))
        {
            Publish();
            return true;
        }

        Directory.CreateDirectory(Building);
        if (!File.Exists(facts)) Durable.Replace(facts, JsonSerializer.SerializeToUtf8Bytes(new Recorded(identity.Hash, identity.Facts), Json));
        return false;
    }

    /// <summary>Writes the result and puts the folder in its place.</summary>
    public void Finish(CellResult result)
    {
        Durable.Replace(System.IO.Path.Combine(Building, ResultsName), JsonSerializer.SerializeToUtf8Bytes(result, Json));
        Publish();
    }

    /// <summary>Reads the result in a cell's folder.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    public static CellResult ReadResult(string folder) => Read<CellResult>(System.IO.Path.Combine(folder, ResultsName));

    /// <summary>Reads a file that this program wrote.</summary>
    /// <exception cref="InputException">It cannot be read, or is not what was written.</exception>
    public static T Read<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllText(path, Encoding.UTF8), Json) ?? throw new JsonException("it is null");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new InputException(path, $"it cannot be read ({problem.Message.TrimEnd('.').Split('\n')[0]})", "the file as an experiment wrote it",
                "remove its folder: the experiment makes it again", problem);
        }
    }

    private static IReadOnlyDictionary<string, string> ReadFacts(string folder) => Read<Recorded>(System.IO.Path.Combine(folder, IdentityName)).Facts;

    private void Publish()
    {
        string old = System.IO.Path.Combine(cells, OldPrefix + slug);
        if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
        if (Directory.Exists(Path)) Directory.Move(Path, old);
        Directory.Move(Building, Path);
        Durable.FlushFolder(cells);
        if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
    }

    private sealed record Recorded(string Hash, SortedDictionary<string, string> Facts);
}
