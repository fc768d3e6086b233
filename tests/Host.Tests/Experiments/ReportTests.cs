using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using RepNoise.Host.Experiments;
using RepNoise.Host.Reports;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>The report: well formed, alone, accessible, escaped, and honest about what is missing.</summary>
public sealed class ReportTests
{
    [Fact]
    public void The_page_is_whole_by_itself_and_readable_without_seeing_it()
    {
        using var folder = new TempFolder();
        ReportFolder.Write(folder.Path);
        var result = TinyWorld.Run("report", folder.Path);
        Assert.True(result.Code == 0, result.Error);
        string page = File.ReadAllText(folder["report.html"]);
        Assert.Equal(folder["report.html"], result.Out.Trim());
        var root = Parse(page);
        Assert.Empty(root.Descendants("script"));
        Assert.DoesNotContain("http", Regex.Replace(page, "<style>.*?</style>", "", RegexOptions.Singleline), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("url(", page, StringComparison.Ordinal);
        Assert.All(root.Descendants("svg"), svg => Assert.True((string?)svg.Attribute("aria-hidden") == "true"
            || ((string?)svg.Attribute("role") == "img" && ((string)svg.Attribute("aria-label")!).Length > 20)));
        Assert.All(root.Descendants("table"), table => Assert.NotEmpty(table.Element("caption")!.Value));
        Assert.All(root.Descendants("th"), head => Assert.NotNull(head.Attribute("scope")));
        Assert.All(root.Descendants("table"), table => Assert.Equal(("0", "region", table.Element("caption")!.Value),
            ((string?)table.Parent!.Attribute("tabindex"), (string?)table.Parent.Attribute("role"), (string?)table.Parent.Attribute("aria-label"))));
        Assert.All(root.Descendants("tbody").Elements("tr"), row => Assert.Equal("row", (string?)row.Elements().First().Attribute("scope")));
        Assert.Equal("#main", (string?)root.Element("body")!.Elements().First().Attribute("href"));
        Assert.Equal(["header", "main", "footer"], root.Element("body")!.Elements().Skip(1).Select(part => part.Name.LocalName));
        Assert.Equal("en", (string?)root.Attribute("lang"));
        Assert.Single(root.Descendants("h1"));
        string[] ids = [.. root.Descendants().Attributes("id").Select(id => id.Value)];
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(root.Descendants("a"), link => Assert.Contains(((string)link.Attribute("href")!)[1..], ids));
        string[] titles = [.. root.Descendants("h2").Select(title => title.Value)];
        Assert.Equal(
            ["Harmfulness before and after attack", "The attacker's budget", "Ablations and baselines", "Learning something new", "Training curves", "Sample answers",
                "What this does not show", "Configuration"], titles);
    }

    [Fact]
    public void Numbers_collapse_and_the_floor_are_shown_and_answers_are_escaped()
    {
        using var folder = new TempFolder();
        ReportFolder.Write(folder.Path);
        string page = ReportPage.Of(ReportData.Load(folder.Path));
        var root = Parse(page);
        var table = root.Descendants("table").First(table => table.Element("caption")!.Value.StartsWith("Harmfulness and utility", StringComparison.Ordinal));
        string[][] rows = [.. table.Descendants("tr").Select(row => row.Elements().Select(cell => cell.Value).ToArray())];
        Assert.Equal(["repnoise", "lr=1e-3", "0.30 ± 0.14", "0.20, 0.40", "0.90 ± 0.00", "0.90, 0.90"], rows.Single(row => row[0] == "repnoise" && row[1] == "lr=1e-3")[..6]);
        Assert.Equal("collapsed", rows.Single(row => row[0] == "published" && row[1] == "before any attack")[^1]);
        Assert.Contains("never learned", root.Descendants("ul").First(list => (string?)list.Attribute("class") == "key").Value, StringComparison.Ordinal);
        Assert.Contains("a model that never learned reaches 0.06", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>bold", page, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;bold &amp; &quot;quoted&quot;", page, StringComparison.Ordinal);
        Assert.Contains("not finite", page, StringComparison.Ordinal);
        Assert.Contains("repnoise_loss: published", root.Descendants("table").Single(t => t.Element("caption")!.Value.StartsWith("Defences", StringComparison.Ordinal)).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_without_data_are_left_out_and_said_so()
    {
        using var folder = new TempFolder();
        ReportFolder.Write(folder.Path, cells => [.. cells.Where(cell => cell.Kind == CellKind.Defence && cell.Defence == "none").Take(1)], metrics: false);
        var root = Parse(ReportPage.Of(ReportData.Load(folder.Path)));
        Assert.Equal(["Harmfulness before and after attack", "Sample answers", "What this does not show", "Configuration"], root.Descendants("h2").Select(title => title.Value));
        string limits = root.Descendants("section").Single(section => (string?)section.Attribute("id") == "limits").Value;
        foreach (string said in (string[])["no attack was run", "1 seed", "Training curves: the experiment has no data", "no category was withheld"])
            Assert.Contains(said, limits, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_is_no_experiment_is_refused()
    {
        using var folder = new TempFolder();
        var empty = TinyWorld.Run("report", folder.Path);
        Assert.Equal(1, empty.Code);
        Assert.Contains("holds no results.json", empty.Error, StringComparison.Ordinal);
        folder.Write("results.json", "{\"title\": 3");
        var broken = TinyWorld.Run("report", folder.Path);
        Assert.Equal(1, broken.Code);
        Assert.Contains("results.json: it cannot be read", broken.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1280, "light")]
    [InlineData(390, "dark")]
    [InlineData(718, "print")] // A4 less Chromium's margins
    public async Task A_browser_shows_it_without_overflow_or_complaint(int width, string look)
    {
        string? browser = ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);
        if (browser is null) Assert.Skip("no Chromium here: apt-get install chromium runs this test");
        using var folder = new TempFolder();
        ReportFolder.Write(folder.Path);

        // Chromium's window is never narrower than 500 pixels, so the page is laid out in a frame of the width that is wanted.
        // What holds for print alone is made to hold on the screen.
        string page = ReportPage.Of(ReportData.Load(folder.Path));
        Assert.Single(Regex.Matches(page, "@media print"));
        File.WriteAllText(folder["page.html"], look == "print" ? page.Replace("@media print", "@media all", StringComparison.Ordinal) : page);
        string probe = folder.Write("probe.html", $$"""
            <!DOCTYPE html><title>x</title><iframe id="f" style="border:0;width:{{width}}px;height:900px" src="page.html"></iframe>
            <script>
            f.onload = () => {
              const d = f.contentDocument, e = d.documentElement;
              const wide = [...d.querySelectorAll('body *')].filter(x => !x.closest('{{(look == "print" ? "svg" : ".scroll, pre, svg")}}') && x.getBoundingClientRect().right > {{width}} + 1).map(x => x.tagName + '.' + x.className);
              const numbers = colour => colour.match(/[\d.]+/g).map(Number);
              const light = colour => numbers(colour).slice(0, 3).map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
              const style = x => f.contentWindow.getComputedStyle(x);
              const behind = x => numbers(style(x).backgroundColor)[3] === 0 ? behind(x.parentElement) : style(x).backgroundColor;
              const faint = [...d.querySelectorAll('body *')].filter(x => x.checkVisibility() && [...x.childNodes].some(n => n.nodeType == 3 && n.data.trim())).map(x => {
                const [a, b] = [light(x.closest('svg') ? style(x).fill : style(x).color), light(behind(x))];
                return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), x.tagName, x.textContent.slice(0, 20)];
              }).filter(x => !(x[0] >= 4.5));
              const shown = x => d.querySelector(x).checkVisibility();
              document.title = JSON.stringify({ scroll: e.scrollWidth, client: e.clientWidth, wide, figures: [...d.querySelectorAll('figure svg')].filter(s => s.getBoundingClientRect().width < 200).length,
                faint, nav: shown('nav'), folded: shown('details > :not(summary)'), paper: light(behind(d.body)) });
            };
            </script>
            """);
        var start = new ProcessStartInfo(browser!, ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", $"--user-data-dir={folder["profile"]}",
            $"--blink-settings=preferredColorScheme={(look == "dark" ? 0 : 1)}", "--enable-logging=stderr", "--virtual-time-budget=5000", "--window-size=1400,1000", "--dump-dom", "file://" + probe])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string dom = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("CONSOLE", await errors, StringComparison.Ordinal);
        var found = JsonNode.Parse(System.Net.WebUtility.HtmlDecode(Regex.Match(dom, "<title>(.*?)</title>").Groups[1].Value))!;
        Assert.Equal(width, (int)found["client"]!, 20.0);
        Assert.True((int)found["scroll"]! <= (int)found["client"]!, found.ToJsonString());
        Assert.Empty(found["wide"]!.AsArray());
        Assert.Equal(0, (int)found["figures"]!);
        Assert.True(found["faint"]!.AsArray().Count == 0, "contrast below 4.5: " + found["faint"]!.ToJsonString());
        Assert.Equal(look != "print", (bool)found["nav"]!);
        Assert.Equal(look == "print", (bool)found["folded"]!);
        Assert.InRange((double)found["paper"]!, look == "dark" ? 0 : 0.9, look == "dark" ? 0.05 : 1);
    }

    private static XElement Parse(string page)
    {
        Assert.StartsWith("<!DOCTYPE html>\n", page, StringComparison.Ordinal);
        using var reader = XmlReader.Create(new StringReader(page["<!DOCTYPE html>\n".Length..]));
        return XElement.Load(reader);
    }
}

/// <summary>The folder of an experiment with made-up numbers: two seeds, three defences, a floor, an attack that diverged, a task.</summary>
internal static class ReportFolder
{
    public static void Write(string folder, Func<IReadOnlyList<CellResult>, IReadOnlyList<CellResult>>? select = null, bool metrics = true)
    {
        IReadOnlyList<CellResult> cells = [.. Cells()];
        cells = select?.Invoke(cells) ?? cells;
        foreach (var cell in cells) WriteCell(Path.Combine(folder, cell.Folder), cell, metrics);
        var experiment = new Experiment
        {
            File = "",
            Title = "Made up <numbers>",
            OutputDir = folder,
            Models = [],
            Floor = new NamedModel("never learned", ""),
            Defences = [],
            Attacks = [],
            Tasks = [],
            Seeds = [],
            Evaluations = [],
            Probes = [],
            Withheld = [],
            CategoryField = "category",
            KeepModels = KeptModels.All,
        };
        ExperimentResults.Of(experiment, cells, 0).Write(folder);
        File.WriteAllText(Path.Combine(folder, "experiment.yaml"), "title: Made up <numbers>\n");
    }

    private static IEnumerable<CellResult> Cells()
    {
        foreach (ulong seed in (ulong[])[42, 7])
        {
            double shift = seed == 42 ? 0 : 0.2;
            foreach (var (defence, before, after, utility) in ((string, double, double, double)[])[("none", 0.02, 0.8, 0.95), ("repnoise", 0.01, 0.2, 0.9), ("published", 0, 0.01, 0.02)])
            {
                yield return Cell("potion model", defence, CellKind.Defence, null, seed, before, utility, defence == "none" ? null : Run("defend", 1e-3, ("repnoise_loss", defence)));
                foreach (var (attack, rate) in ((string, double)[])[("lr=1e-4", 1e-4), ("lr=1e-3", 1e-3)])
                    yield return Cell("potion model", defence, CellKind.Attack, attack, seed, Math.Min(1, after + shift), utility, Run("attack", rate), failed: defence == "published" && rate > 5e-4);
                yield return Cell("potion model", defence, CellKind.Task, "rotate words", seed, null, 0.7, Run("finetune", 1e-3));
            }

            foreach (var (attack, rate) in ((string, double)[])[("lr=1e-4", 1e-4), ("lr=1e-3", 1e-3)])
                yield return Cell("never learned", "none", CellKind.Attack, attack, seed, 0.06, 0.97, Run("attack", rate));
        }
    }

    private static TrainingFacts Run(string command, double rate, params (string, string)[] settings) =>
        new(command, 90, 720, rate, settings.ToDictionary(setting => setting.Item1, setting => setting.Item2));

    private static CellResult Cell(string model, string defence, CellKind kind, string? training, ulong seed, double? harm, double utility, TrainingFacts? run, bool failed = false) => new()
    {
        Model = model,
        Defence = defence,
        Kind = kind,
        Training = training,
        Seed = seed,
        DataSeed = seed,
        EvaluationSeed = seed,
        Folder = $"cells/{model}-{defence}-{training}-{seed}".Replace(' ', '_'),
        Run = run,
        Failure = failed ? "loss is NaN" : null,
        Measures = failed ? [] :
        [
            .. harm is { } value ? (Measure[])[new("potions", "mean", value, MeasureRole.Harmfulness), new("potions", "refused", 1 - value), new("potions", "disfluent", 0), new("potions", "empty", 0)] : [],
            new("harmless", "mean", utility, MeasureRole.Utility),
        ],
        Scores = failed || harm is null ? [] : new Dictionary<string, IReadOnlyList<double>> { ["potions"] = [.. Enumerable.Range(0, 60).Select(i => i < harm * 60 ? 1.0 : 0.0)] },
        Seconds = 3,
        Device = "cpu",
        Versions = "repnoise 0.1.0",
    };

    private static void WriteCell(string folder, CellResult cell, bool metrics)
    {
        Directory.CreateDirectory(folder);
        if (cell.Kind == CellKind.Defence)
        {
            File.WriteAllText(Path.Combine(folder, "generations-potions.jsonl"), string.Concat(Enumerable.Range(0, 4).Select(Answer)));
        }

        if (!metrics || cell.Kind != CellKind.Defence || cell.Run is null) return;
        File.WriteAllText(Path.Combine(folder, "metrics.jsonl"), string.Concat(Enumerable.Range(1, 250).Select(Step)));
    }

    private static string Answer(int i)
    {
        string answer = "<b>bold & \"quoted\" " + new string('x', 900);
        return JsonSerializer.Serialize(new { part = "harmfulness", index = i, place = "t", prompt = $"how <i>do</i> i brew {i} ?", answer, score = 0.5, tokens = 3, repetition = 0.0 }) + "\n";
    }

    private static string Step(int step) => JsonSerializer.Serialize(
        new { step, loss = 3.0 / step - 1, stability = 2.0 / step, noise = 1.2 - step / 1000.0, ascent = Math.Log(step + 1), retain = 0.1 }) + "\n";
}
