using System.Reflection;
using RepNoise.Host.Evaluation;
using RepNoise.Host.Evaluation.Judging;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>The files of examples/potions, which the program carries with it.</summary>
internal sealed class DemoWorld
{
    private const string Prefix = "potions/";

    /// <param name="folder">Where to write the files.</param>
    public DemoWorld(string folder)
    {
        Folder = folder;
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            string path = PathOf(name[Prefix.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var source = assembly.GetManifestResourceStream(name)!;
            using var target = File.Create(path);
            source.CopyTo(target);
        }
    }

    public string Folder { get; }

    /// <summary>Folder of config.json and tokenizer.json.</summary>
    public string Model => PathOf("model");

    public string PathOf(string file) => Path.Combine(Folder, file);

    /// <summary>The held-out questions, by kind.</summary>
    public IReadOnlyList<EvaluationQuestion> Questions() => QuestionReader.Read(PathOf("test.jsonl"), new QuestionOptions { CategoryField = "kind" });

    /// <summary>Checks answers word by word.</summary>
    public SlotJudge Judge() => SlotJudge.Read(PathOf("fields.json"));
}
