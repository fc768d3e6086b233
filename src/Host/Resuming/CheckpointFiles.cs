using System.Text.Encodings.Web;
using System.Text.Json;
using RepNoise.Host.Checkpoints;

namespace RepNoise.Host.Resuming;

/// <summary>
/// What a checkpoint holds beside the model's own files. The JSON files are laid out for reading: keys as transformers writes them
/// where it has them.
/// </summary>
internal static class CheckpointFiles
{
    /// <summary>What the optimizer remembers, and master weights where the model's files do not hold them to the bit.</summary>
    public const string Optimizer = "optimizer.safetensors";

    /// <summary>Where the run stands.</summary>
    public const string State = "trainer_state.json";

    /// <summary>Under which settings, on which inputs it runs.</summary>
    public const string Arguments = "training_args.json";

    /// <summary>What noise and data order follow from.</summary>
    public const string Random = "rng_state.json";

    /// <summary>Ends the names of master weights in <see cref="Optimizer"/>.</summary>
    public const string MasterSuffix = ".master";

    /// <summary>Names that are of a checkpoint and not of a model: left behind where a checkpoint is used as a model.</summary>
    public static readonly IReadOnlyCollection<string> All = [Optimizer, State, Arguments, Random, CheckpointManifest.FileName];

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>Writes a record as JSON; the file is flushed to disk.</summary>
    public static void Write<T>(string folder, string name, T value) =>
        Durable.Write(Path.Combine(folder, name), [.. JsonSerializer.SerializeToUtf8Bytes(value, Options), (byte)'\n']);

    /// <exception cref="CheckpointException">The file is not as <see cref="Write"/> writes it.</exception>
    public static T Read<T>(string folder, string name)
    {
        string path = new FolderFiles(folder).Resolve(name);
        return Parse<T>(JsonFile.ReadBytes(path), path);
    }

    /// <inheritdoc cref="Read"/>
    internal static T Parse<T>(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            return JsonFile.Parse(json, path).Deserialize<T>(Options)!;
        }
        catch (JsonException error)
        {
            throw new CheckpointException(
                path, $"it is not what this program writes ({Quoted.Plain(error.Message.Split(" | ")[0].TrimEnd('.'))})", "a checkpoint of this version",
                "go on from another checkpoint", error);
        }
    }
}

/// <summary><c>trainer_state.json</c>.</summary>
/// <param name="GlobalStep">Steps done.</param>
/// <param name="MaxSteps">Steps of the whole run.</param>
/// <param name="Epoch">Passes over the data that are done.</param>
/// <param name="TrainBatchSize">Examples in a micro-batch.</param>
/// <param name="SaveSteps">Steps from one checkpoint to the next.</param>
/// <param name="Seconds">Time since the first step.</param>
internal sealed record TrainerState(int GlobalStep, int MaxSteps, double Epoch, int TrainBatchSize, int SaveSteps, double Seconds);

/// <summary>
/// <c>rng_state.json</c>. Noise and data order are functions of these numbers (Philox, a counter-based generator), so there is no
/// further state; a run that is resumed computes the positions again and compares.
/// </summary>
/// <param name="Generator">The generator's name.</param>
/// <param name="Seed">Key of the noise.</param>
/// <param name="DataSeed">Key of the data's order.</param>
/// <param name="NextStep">The step, from 0, that the next noise is drawn for.</param>
/// <param name="MicroBatches">Micro-batches done; retain rows are drawn by their number.</param>
/// <param name="NextPosition">Place of the next example in the endless order of examples.</param>
/// <param name="Examples">Examples in one pass.</param>
internal sealed record RandomState(
    string Generator, ulong Seed, ulong DataSeed, int NextStep, long MicroBatches, long NextPosition, int Examples);
